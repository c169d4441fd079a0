"""The client's first example: an answer in the shape of a class."""

import os

import instructor
from openai import OpenAI
from pydantic import BaseModel


class City(BaseModel):
    name: str
    country: str


client = instructor.from_openai(OpenAI(), mode=instructor.Mode.JSON)
city = client.chat.completions.create(
    model=os.environ["MODEL"],
    response_model=City,
    messages=[{"role": "user", "content": "Paris is in France. Name the city and its country."}],
    max_tokens=200,
    max_retries=1,
)
assert isinstance(city, City)
