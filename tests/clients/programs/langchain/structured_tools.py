"""An answer in the shape of a class by the older ways: a function that is called, and JSON of any form."""

import os

from langchain_openai import ChatOpenAI
from pydantic import BaseModel, Field


class Joke(BaseModel):
    """A joke to tell."""

    setup: str = Field(description="The question of the joke")
    rating: int | None = Field(default=None, description="How funny it is, from 1 to 10")


model = ChatOpenAI(model=os.environ["MODEL"], max_tokens=400)
assert isinstance(model.with_structured_output(Joke, method="function_calling").invoke("Tell me a joke."), Joke)
by_mode = model.with_structured_output(None, method="json_mode", include_raw=True).invoke("Tell a joke as JSON.")
assert isinstance(by_mode["parsed"], dict), by_mode["parsing_error"]
