"""The client's first example: an agent that answers."""

import asyncio
import os

from semantic_kernel.agents import ChatCompletionAgent
from semantic_kernel.connectors.ai.open_ai import OpenAIChatCompletion


async def main() -> None:
    service = OpenAIChatCompletion(ai_model_id=os.environ["MODEL"])
    agent = ChatCompletionAgent(service=service, name="helper", instructions="Be brief.")
    assert str(await agent.get_response("Say hello."))


asyncio.run(main())
