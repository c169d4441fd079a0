"""An answer in the shape of a class, by the schema that the server keeps."""

import os

from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.models.openai import OpenAIChatModel


class City(BaseModel):
    name: str
    country: str


agent = Agent(OpenAIChatModel(os.environ["MODEL"]), output_type=NativeOutput(City))
assert isinstance(agent.run_sync("Name a city and its country.", model_settings={"max_tokens": 200}).output, City)
