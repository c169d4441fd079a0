"""The responses API: an answer and a stream."""

import os

from llama_index.core.llms import ChatMessage
from llama_index.llms.openai import OpenAIResponses

model = OpenAIResponses(model=os.environ["MODEL"], api_base=os.environ["OPENAI_BASE_URL"], max_output_tokens=32)
asked = [ChatMessage(role="system", content="Be brief."), ChatMessage(role="user", content="Say hello.")]
assert model.chat(asked).message.content
assert "".join(part.delta or "" for part in model.stream_chat(asked))
