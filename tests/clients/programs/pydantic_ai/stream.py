"""Text as it comes, and the usage at the end."""

import asyncio
import os

from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel


async def main() -> None:
    agent = Agent(OpenAIChatModel(os.environ["MODEL"]))
    async with agent.run_stream("Describe the sea.", model_settings={"max_tokens": 48}) as result:
        parts = [part async for part in result.stream_text(delta=True, debounce_by=None)]
    assert len(parts) > 1
    assert result.usage.output_tokens > 0


asyncio.run(main())
