"""Chat templates and text, by a Hugging Face tokenizer."""

from collections.abc import Sequence
from typing import Any

from jinja2 import TemplateError

from shared.errors import InvalidRequest
from shared.records import Message

# Stands for a message's content while the template is rendered; from a Unicode private-use plane.
_MARK = "\U000f0d0d{}\U000f0d0d"


class ChatTokenizer:
    """Encodes conversations, decodes responses."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._control = tuple(tokenizer.added_tokens_encoder)

    def encode_chat(self, messages: Sequence[Message], *, answered: bool = False) -> tuple[int, ...]:
        """The template's ids; unless the conversation is `answered` they end with a generation prompt.

        A control token's text inside a content is no control token.

        Raises:
            InvalidRequest: the template refuses the conversation.
        """
        if any(token in message.content for message in messages for token in self._control):
            return self._encode_guarded(messages, answered)
        return tuple(self._ids(self._render([(m.role, m.content) for m in messages], answered)))

    def decode(self, token_ids: Sequence[int], *, special: bool = False) -> str:
        text: str = self._tokenizer.decode(list(token_ids), skip_special_tokens=not special)
        return text

    def _encode_guarded(self, messages: Sequence[Message], answered: bool) -> tuple[int, ...]:
        rest = self._render([(m.role, _MARK.format(i)) for i, m in enumerate(messages)], answered)
        ids: list[int] = []
        for i, message in enumerate(messages):
            before, _, rest = rest.partition(_MARK.format(i))
            ids += self._ids(before) + self._ids(message.content, split_special_tokens=True)
        return tuple(ids + self._ids(rest))

    def _render(self, turns: Sequence[tuple[str, str]], answered: bool) -> str:
        turns_as_dicts = [{"role": role, "content": content} for role, content in turns]
        try:
            text: str = self._tokenizer.apply_chat_template(
                turns_as_dicts, add_generation_prompt=not answered, tokenize=False
            )
        except TemplateError as error:
            raise InvalidRequest(f"the model's chat template refuses this: {error}", field="messages") from error
        return text

    def _ids(self, text: str, **options: bool) -> list[int]:
        ids: list[int] = self._tokenizer(text, add_special_tokens=False, verbose=False, **options)["input_ids"]
        return ids
