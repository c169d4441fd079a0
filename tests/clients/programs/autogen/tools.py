"""An assistant with a tool, which it may call, and an answer about the result."""

import asyncio
import os

from autogen_agentchat.agents import AssistantAgent
from autogen_core.models import ModelFamily
from autogen_ext.models.openai import OpenAIChatCompletionClient

INFO = {
    "vision": False,
    "function_calling": True,
    "json_output": True,
    "structured_output": True,
    "family": ModelFamily.UNKNOWN,
}


async def get_weather(city: str) -> str:
    """Get the weather for a given city."""
    return f"The weather in {city} is 73 degrees and sunny."


async def main() -> None:
    client = OpenAIChatCompletionClient(model=os.environ["MODEL"], model_info=INFO, max_tokens=200)
    agent = AssistantAgent("helper", model_client=client, tools=[get_weather], reflect_on_tool_use=True)
    result = await agent.run(task="What is the weather in New York?")
    assert result.messages[-1].content
    await client.close()


asyncio.run(main())
