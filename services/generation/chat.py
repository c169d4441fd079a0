"""Chat templates and text, by a Hugging Face tokenizer."""

from collections.abc import Sequence
from dataclasses import dataclass
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

    def encode_chat(self, messages: Sequence[Message]) -> tuple[int, ...]:
        """The template's ids with a generation prompt. A control token's text inside a content is no control token."""
        if any(token in message.content for message in messages for token in self._control):
            return self._encode_guarded(messages)
        return tuple(self._ids(self._render([(m.role, m.content) for m in messages])))

    def decode(self, token_ids: Sequence[int]) -> str:
        text: str = self._tokenizer.decode(list(token_ids), skip_special_tokens=True)
        return text

    def _encode_guarded(self, messages: Sequence[Message]) -> tuple[int, ...]:
        rest = self._render([(m.role, _MARK.format(i)) for i, m in enumerate(messages)])
        ids: list[int] = []
        for i, message in enumerate(messages):
            before, _, rest = rest.partition(_MARK.format(i))
            ids += self._ids(before) + self._ids(message.content, split_special_tokens=True)
        return tuple(ids + self._ids(rest))

    def _render(self, turns: Sequence[tuple[str, str]]) -> str:
        turns_as_dicts = [{"role": role, "content": content} for role, content in turns]
        try:
            text: str = self._tokenizer.apply_chat_template(turns_as_dicts, add_generation_prompt=True, tokenize=False)
        except TemplateError as error:
            raise InvalidRequest(f"the model's chat template refuses this: {error}", field="messages") from error
        return text

    def _ids(self, text: str, **options: bool) -> list[int]:
        ids: list[int] = self._tokenizer(text, add_special_tokens=False, verbose=False, **options)["input_ids"]
        return ids


@dataclass(frozen=True)
class Checkpoint:
    """What engines need to know of a model beside its weights."""

    chat: ChatTokenizer
    context_length: int
    vocabulary: int
    eos_ids: frozenset[int]


def read_checkpoint(model: str) -> Checkpoint:
    """Reads tokenizer, configuration and end-of-sequence ids of a Hugging Face model (folder or id)."""
    from transformers import AutoConfig, AutoTokenizer, GenerationConfig

    config = AutoConfig.from_pretrained(model)
    tokenizer = AutoTokenizer.from_pretrained(model)
    try:
        ends = GenerationConfig.from_pretrained(model).eos_token_id
    except OSError:
        ends = config.eos_token_id
    listed = ends if isinstance(ends, list) else [ends]
    return Checkpoint(
        chat=ChatTokenizer(tokenizer),
        context_length=config.max_position_embeddings,
        vocabulary=config.vocab_size,
        eos_ids=frozenset(end for end in (*listed, tokenizer.eos_token_id) if end is not None),
    )
