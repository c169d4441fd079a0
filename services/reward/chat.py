"""A conversation and its answer as the token ids a sequence classifier was trained on."""

from typing import Any

from services.reward.scorer import ScoreItem
from shared.errors import Unsupported


class ChatFormat:
    """Renders by the tokenizer's own chat template; keeps the last `max_tokens` tokens, so the answer stays."""

    def __init__(self, tokenizer: Any, model: str, max_tokens: int) -> None:
        if not tokenizer.chat_template:
            raise Unsupported(f"the tokenizer of {model} has no chat template; add one to its folder", field="model")
        self._tokenizer = tokenizer
        self._max_tokens = max_tokens

    def token_ids(self, item: ScoreItem) -> list[int]:
        messages = [*item.conversation.as_dicts(), {"role": "assistant", "content": item.text}]
        text = self._tokenizer.apply_chat_template(messages, tokenize=False)
        ids: list[int] = self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        return ids[-self._max_tokens :]
