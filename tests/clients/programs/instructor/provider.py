"""The client by the name of its provider, and by the responses API."""

import os

import instructor
from pydantic import BaseModel


class City(BaseModel):
    name: str
    country: str


client = instructor.from_provider(f"openai/{os.environ['MODEL']}", mode=instructor.Mode.RESPONSES_TOOLS)
city = client.create(response_model=City, messages=[{"role": "user", "content": "Name a city."}], max_retries=1)
assert isinstance(city, City)
