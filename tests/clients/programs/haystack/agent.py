"""An agent with a tool that it may call, in a pipeline behind a prompt."""

import os
from typing import Annotated

from haystack.components.agents import Agent
from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.dataclasses import ChatMessage
from haystack.tools import tool


@tool
def multiply(a: Annotated[int, "a number"], b: Annotated[int, "another one"]) -> int:
    """The product of two numbers."""
    return a * b


generator = OpenAIChatGenerator(
    model=os.environ["MODEL"], api_base_url=os.environ["OPENAI_BASE_URL"], generation_kwargs={"max_tokens": 200}
)
agent = Agent(chat_generator=generator, tools=[multiply], system_prompt="You can multiply.", max_agent_steps=5)
result = agent.run(messages=[ChatMessage.from_user("How much is 7 times 6?")])
assert result["last_message"].text
