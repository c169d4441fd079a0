"""The client's model by itself: an answer in the shape of a class, and a tool that must be called."""

import asyncio
import os

from autogen_core.models import ModelFamily, UserMessage
from autogen_core.tools import FunctionTool
from autogen_ext.models.openai import OpenAIChatCompletionClient
from pydantic import BaseModel

INFO = {
    "vision": False,
    "function_calling": True,
    "json_output": True,
    "structured_output": True,
    "family": ModelFamily.UNKNOWN,
}


class City(BaseModel):
    name: str
    country: str


def weather(city: str) -> str:
    return f"It is sunny in {city}."


async def main() -> None:
    client = OpenAIChatCompletionClient(model=os.environ["MODEL"], model_info=INFO, max_tokens=400)
    asked = [UserMessage(content="What is the weather in Paris, and where is it?", source="user")]
    City.model_validate_json((await client.create(asked, json_output=City)).content)
    tool = FunctionTool(weather, description="The weather in a city.")
    called = await client.create(asked, tools=[tool], tool_choice=tool)
    assert called.finish_reason == "function_calls"
    assert called.content[0].name == "weather"
    await client.close()


asyncio.run(main())
