"""A tool that a class describes, by the client's `parse`, which reads the arguments into the class."""

import os
from enum import StrEnum

import openai
from pydantic import BaseModel


class Unit(StrEnum):
    CELSIUS = "celsius"
    FAHRENHEIT = "fahrenheit"


class Weather(BaseModel):
    """The weather at a place."""

    city: str
    unit: Unit
    days: int | None = None


answer = openai.OpenAI().chat.completions.parse(
    model=os.environ["MODEL"],
    messages=[{"role": "user", "content": "What is the weather in Paris?"}],
    tools=[openai.pydantic_function_tool(Weather)],
    tool_choice="required",
    max_tokens=400,
)
assert isinstance(answer.choices[0].message.tool_calls[0].function.parsed_arguments, Weather)
