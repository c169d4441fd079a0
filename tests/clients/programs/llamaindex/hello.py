"""The client's first example, with its class for servers like OpenAI's."""

import os

from llama_index.llms.openai_like import OpenAILike

model = OpenAILike(
    model=os.environ["MODEL"],
    api_base=os.environ["OPENAI_BASE_URL"],
    api_key=os.environ["OPENAI_API_KEY"],
    is_chat_model=True,
    max_tokens=16,
)
assert model.complete("Say hello.").text
assert "".join(part.delta or "" for part in model.stream_complete("Say hello."))
