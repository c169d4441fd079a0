"""A conversation and its answer as the token ids a sequence classifier was trained on."""

from typing import Any

from transformers import AutoConfig, AutoTokenizer

from services.reward.scorer import ScoreItem
from shared.errors import Unsupported
from shared.records import Message
from shared.text.chat import ChatTokenizer


class ChatFormat:
    """Renders by the own chat template of the tokenizer in `folder` (or of that Hugging Face id).

    Keeps the last `max_tokens` tokens, fewer where the model takes fewer, so that the answer stays. Raises Unsupported
    for a tokenizer without a chat template.
    """

    def __init__(self, folder: str, max_tokens: int) -> None:
        tokenizer: Any = AutoTokenizer.from_pretrained(folder)
        if not tokenizer.chat_template:
            raise Unsupported(f"the tokenizer of {folder} has no chat template; add one to it", field="model")
        positions = getattr(AutoConfig.from_pretrained(folder), "max_position_embeddings", max_tokens)
        self.tokenizer = tokenizer
        self._chat = ChatTokenizer(tokenizer)
        self.max_tokens: int = min(max_tokens, tokenizer.model_max_length, positions)

    def token_ids(self, item: ScoreItem) -> list[int]:
        messages = (*item.conversation.messages, Message("assistant", item.text))
        return list(self._chat.encode_chat(messages, answered=True)[-self.max_tokens :])
