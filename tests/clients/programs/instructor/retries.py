"""An answer that the program does not like is asked for again, with what was wrong with it."""

import os

import instructor
from openai import OpenAI
from pydantic import BaseModel, field_validator

seen = []


class City(BaseModel):
    name: str

    @field_validator("name")
    @classmethod
    def second_time(cls, name: str) -> str:
        seen.append(name)
        if len(seen) == 1:
            raise ValueError("name another one")
        return name


city = instructor.from_openai(OpenAI()).chat.completions.create(
    model=os.environ["MODEL"],
    response_model=City,
    messages=[{"role": "user", "content": "Name a city."}],
    max_tokens=400,
    max_retries=3,
)
assert isinstance(city, City)
assert len(seen) >= 2
