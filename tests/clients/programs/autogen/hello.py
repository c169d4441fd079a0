"""The client's first example: an assistant that answers a task."""

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
    client = OpenAIChatCompletionClient(model=os.environ["MODEL"], model_info=INFO, max_tokens=16)
    result = await AssistantAgent("helper", model_client=client).run(task="Say hello.")
    assert result.messages[-1].content
    await client.close()


asyncio.run(main())
