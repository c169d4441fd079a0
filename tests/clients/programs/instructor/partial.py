"""An object that grows while its answer is streamed."""

import os

import instructor
from openai import OpenAI
from pydantic import BaseModel


class City(BaseModel):
    name: str
    country: str


parts = list(
    instructor.from_openai(OpenAI()).chat.completions.create_partial(
        model=os.environ["MODEL"],
        response_model=City,
        messages=[{"role": "user", "content": "Paris is in France. Name the city and its country."}],
        max_tokens=400,
    )
)
assert parts[-1].name is not None
assert parts[-1].country is not None
