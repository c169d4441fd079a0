"""The older completions API, which the class takes for models without a chat: an answer, a stream, and a wait."""

import asyncio
import os

from llama_index.llms.openai_like import OpenAILike

model = OpenAILike(
    model=os.environ["MODEL"],
    api_base=os.environ["OPENAI_BASE_URL"],
    api_key=os.environ["OPENAI_API_KEY"],
    is_chat_model=False,
    max_tokens=16,
)
assert model.complete("The sea is").text
assert "".join(part.delta or "" for part in model.stream_complete("The sea is"))
assert asyncio.run(model.acomplete("The sea is")).text
