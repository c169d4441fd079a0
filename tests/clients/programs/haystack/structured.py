"""An answer in the shape of a class, by the schema that the server keeps."""

import os

from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.dataclasses import ChatMessage
from pydantic import BaseModel


class City(BaseModel):
    name: str
    country: str


generator = OpenAIChatGenerator(
    model=os.environ["MODEL"],
    api_base_url=os.environ["OPENAI_BASE_URL"],
    generation_kwargs={"max_tokens": 400, "response_format": City},
)
City.model_validate_json(generator.run([ChatMessage.from_user("Name a city.")])["replies"][0].text)
