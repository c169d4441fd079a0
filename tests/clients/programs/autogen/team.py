"""Two assistants in turn, who see what the other said under its name."""

import asyncio
import os

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.conditions import MaxMessageTermination
from autogen_agentchat.teams import RoundRobinGroupChat
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
    writer = AssistantAgent("writer", model_client=client, system_message="Write a line.")
    critic = AssistantAgent("critic", model_client=client, system_message="Say what is wrong with it.")
    team = RoundRobinGroupChat([writer, critic], termination_condition=MaxMessageTermination(4))
    result = await team.run(task="Write a poem.")
    assert [message.source for message in result.messages] == ["user", "writer", "critic", "writer"]
    await client.close()


asyncio.run(main())
