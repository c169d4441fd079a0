"""An object of a class that grows while its answer is streamed."""

import asyncio
import os

from pydantic import BaseModel
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel


class Profile(BaseModel):
    name: str
    bio: str = ""


async def main() -> None:
    agent = Agent(OpenAIChatModel(os.environ["MODEL"]), output_type=Profile)
    async with agent.run_stream("My name is Ben.", model_settings={"max_tokens": 400}) as result:
        profiles = [profile async for profile in result.stream_output()]
    assert isinstance(profiles[-1], Profile)


asyncio.run(main())
