"""The client's helper for streams, with an answer in the shape of a class, which it reads while it comes."""

import os

from openai import OpenAI
from pydantic import BaseModel


class City(BaseModel):
    name: str
    country: str


kinds = []
with OpenAI().chat.completions.stream(
    model=os.environ["MODEL"],
    messages=[{"role": "user", "content": "Name a city and its country."}],
    max_tokens=400,
    response_format=City,
) as stream:
    kinds.extend(event.type for event in stream)
    whole = stream.get_final_completion()
assert {"chunk", "content.delta", "content.done"} <= set(kinds)
assert isinstance(whole.choices[0].message.parsed, City)
