"""An answer of the responses API in the shape of a class, by the client's `parse`."""

import os

from openai import OpenAI
from pydantic import BaseModel


class City(BaseModel):
    name: str
    country: str


answer = OpenAI().responses.parse(
    model=os.environ["MODEL"], input="Name a city and its country.", max_output_tokens=400, text_format=City
)
assert isinstance(answer.output_parsed, City)
