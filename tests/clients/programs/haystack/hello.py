"""The client's first example."""

import os

from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.dataclasses import ChatMessage

generator = OpenAIChatGenerator(
    model=os.environ["MODEL"],
    api_base_url=os.environ["OPENAI_BASE_URL"],
    generation_kwargs={"max_tokens": 16},
)
assert generator.run([ChatMessage.from_user("Say hello.")])["replies"][0].text
