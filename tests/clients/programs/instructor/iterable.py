"""Several objects of a class, one after another, as they are streamed."""

import os

import instructor
from openai import OpenAI
from pydantic import BaseModel


class User(BaseModel):
    name: str
    age: int


users = instructor.from_openai(OpenAI()).chat.completions.create_iterable(
    model=os.environ["MODEL"],
    response_model=User,
    messages=[{"role": "user", "content": "Ann is 25 and Bob is 30. Name them with their ages."}],
    max_tokens=400,
)
assert all(isinstance(user, User) for user in users)
