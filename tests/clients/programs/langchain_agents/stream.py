"""An agent's steps and its tokens, as they come."""

import os

from langchain.agents import create_agent
from langchain_openai import ChatOpenAI


def get_weather(city: str) -> str:
    """Get weather for a given city."""
    return f"It's always sunny in {city}!"


agent = create_agent(ChatOpenAI(model=os.environ["MODEL"], max_tokens=100), tools=[get_weather])
asked = {"messages": [{"role": "user", "content": "What is the weather in SF?"}]}
modes = [mode for mode, _ in agent.stream(asked, stream_mode=["updates", "messages"])]
assert {"updates", "messages"} == set(modes)
