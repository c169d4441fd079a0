"""The responses API: an answer and a stream."""

import os

from haystack.components.generators.chat import OpenAIResponsesChatGenerator
from haystack.dataclasses import ChatMessage

asked, pieces = [ChatMessage.from_user("Say hello.")], []
generator = OpenAIResponsesChatGenerator(
    model=os.environ["MODEL"],
    api_base_url=os.environ["OPENAI_BASE_URL"],
    generation_kwargs={"max_output_tokens": 32},
)
assert generator.run(asked)["replies"][0].text
assert generator.run(asked, streaming_callback=pieces.append)["replies"][0].text
assert len(pieces) > 1
