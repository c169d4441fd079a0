"""An answer in the shape of a class, by the client's `parse`."""

import os

from openai import OpenAI
from pydantic import BaseModel


class City(BaseModel):
    name: str
    country: str


answer = OpenAI().chat.completions.parse(
    model=os.environ["MODEL"],
    messages=[{"role": "user", "content": "Name a city and its country."}],
    max_tokens=200,
    response_format=City,
)
assert isinstance(answer.choices[0].message.parsed, City)
