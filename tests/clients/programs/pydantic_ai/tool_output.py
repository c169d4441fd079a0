"""An answer in the shape of a class as the client does it by itself: by a tool that must be called."""

import os

from pydantic import BaseModel
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel


class City(BaseModel):
    name: str
    country: str


agent = Agent(OpenAIChatModel(os.environ["MODEL"]), output_type=City)
result = agent.run_sync("The windy city in the US of A.", model_settings={"max_tokens": 400})
assert isinstance(result.output, City)
