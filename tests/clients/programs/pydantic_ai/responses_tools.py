"""The responses API with a tool that may be called, and a shape by a tool that must be."""

import os

from pydantic import BaseModel
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIResponsesModel


class City(BaseModel):
    name: str
    country: str


agent = Agent(OpenAIResponsesModel(os.environ["MODEL"]), output_type=City, model_settings={"max_tokens": 400})


@agent.tool_plain
def where() -> str:
    """Where the user is."""
    return "Paris, France"


assert isinstance(agent.run_sync("Which city am I in?").output, City)
