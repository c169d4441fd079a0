"""A conversation of several turns by the chat engine, with its memory, whole and as it streams."""

import os

from llama_index.core.chat_engine import SimpleChatEngine
from llama_index.llms.openai_like import OpenAILike

model = OpenAILike(
    model=os.environ["MODEL"],
    api_base=os.environ["OPENAI_BASE_URL"],
    api_key=os.environ["OPENAI_API_KEY"],
    is_chat_model=True,
    max_tokens=16,
)
engine = SimpleChatEngine.from_defaults(llm=model, system_prompt="Be brief.")
assert engine.chat("Name a colour.").response
assert "".join(engine.stream_chat("And another one?").response_gen)
assert [message.role.value for message in engine.chat_history] == ["user", "assistant", "user", "assistant"]
