"""The responses API: an answer, a stream, and a shape by the schema that the server keeps."""

import asyncio
import os

from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.models.openai import OpenAIResponsesModel


class City(BaseModel):
    name: str
    country: str


async def main() -> None:
    model = OpenAIResponsesModel(os.environ["MODEL"])
    agent = Agent(model, instructions="Be brief.", model_settings={"max_tokens": 400})
    assert (await agent.run("Say hello.")).output
    async with agent.run_stream("Say hello.") as result:
        assert [part async for part in result.stream_text(delta=True)]
    shaped = Agent(model, output_type=NativeOutput(City), model_settings={"max_tokens": 400})
    assert isinstance((await shaped.run("Name a city and its country.")).output, City)


asyncio.run(main())
