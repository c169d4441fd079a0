"""A tool that must be called, its result, and the answer about it."""

import os
from typing import Annotated

from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.dataclasses import ChatMessage
from haystack.tools import tool


@tool
def weather(city: Annotated[str, "the city"]) -> str:
    """The weather in a city."""
    return f"It is sunny in {city}."


generator = OpenAIChatGenerator(
    model=os.environ["MODEL"], api_base_url=os.environ["OPENAI_BASE_URL"], generation_kwargs={"max_tokens": 200}
)
asked = [ChatMessage.from_user("What is the weather in Paris?")]
reply = generator.run(asked, tools=[weather], generation_kwargs={"tool_choice": "required"})["replies"][0]
results = [ChatMessage.from_tool(weather.invoke(**call.arguments), origin=call) for call in reply.tool_calls]
assert results
assert generator.run([*asked, reply, *results], tools=[weather])["replies"][0].text
