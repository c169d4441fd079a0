"""Text as it comes, by a function that is called with each piece, over several turns."""

import os

from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.dataclasses import ChatMessage

pieces = []
generator = OpenAIChatGenerator(
    model=os.environ["MODEL"],
    api_base_url=os.environ["OPENAI_BASE_URL"],
    generation_kwargs={"max_tokens": 48},
    streaming_callback=pieces.append,
)
turns = [ChatMessage.from_system("Be brief."), ChatMessage.from_user("Hello."), ChatMessage.from_assistant("Hello!")]
answer = generator.run([*turns, ChatMessage.from_user("Describe the sea.")])["replies"][0]
assert "".join(piece.content for piece in pieces) == answer.text
assert answer.meta["finish_reason"] in ("stop", "length")
