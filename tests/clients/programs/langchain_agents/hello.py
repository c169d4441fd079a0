"""The client's first example: an agent with a tool, which it may call."""

import os

from langchain.agents import create_agent
from langchain_openai import ChatOpenAI


def get_weather(city: str) -> str:
    """Get weather for a given city."""
    return f"It's always sunny in {city}!"


agent = create_agent(
    model=ChatOpenAI(model=os.environ["MODEL"], max_tokens=100),
    tools=[get_weather],
    system_prompt="You are a helpful assistant",
)
result = agent.invoke({"messages": [{"role": "user", "content": "what is the weather in sf"}]})
assert result["messages"][-1].type == "ai"
assert result["messages"][-1].content
