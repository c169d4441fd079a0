"""An assistant that streams."""

import asyncio
import os

from autogen_agentchat.agents import AssistantAgent
from autogen_core.models import ModelFamily
from autogen_ext.models.openai import OpenAIChatCompletionClient

INFO = {
    "vision": False,
    "function_calling": False,
    "json_output": False,
    "structured_output": False,
    "family": ModelFamily.UNKNOWN,
}


async def main() -> None:
    client = OpenAIChatCompletionClient(model=os.environ["MODEL"], model_info=INFO, max_tokens=32)
    agent = AssistantAgent("helper", model_client=client, model_client_stream=True)
    events = [event async for event in agent.run_stream(task="Describe the sea.")]
    assert events[-1].messages[-1].content
    await client.close()


asyncio.run(main())
