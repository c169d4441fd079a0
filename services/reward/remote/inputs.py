"""Renders a conversation as what a reward server takes."""

import re
from dataclasses import dataclass, replace
from typing import Any

from services.reward.classifier_inputs import ChatFormat, chat_format
from services.reward.registry import HttpSpec
from services.reward.remote.apis import Chat, ServerInput
from services.reward.scorer import ScoreItem
from services.reward.segments import Frame, frame_of
from shared.errors import DarwinError, Unsupported
from shared.records.evolution import Message
from shared.text.embedded_models import resolve
from shared.text.tokenizers import load_tokenizer

_UNSEEN = "\u2060"
"""A word joiner: put into the text of a control token it keeps a server from reading one."""


@dataclass(frozen=True)
class Rendered:
    """An input, and the number of its tokens where they were counted here."""

    input: ServerInput
    tokens: int = 0


class Renderer:
    """Renders by the component's tokenizer, or leaves that to the server.

    vLLM gets token ids. Other servers get text, in which the texts of control tokens are broken up.

    Raises:
        NotFound, Unsupported: the tokenizer cannot be used, or is needed and not named.
    """

    def __init__(self, spec: HttpSpec) -> None:
        self._spec = spec
        self._format: ChatFormat | None = None
        if spec.tokenizer is None:
            if spec.api == "openrlhf":
                raise Unsupported(
                    "api openrlhf takes rendered text: name the reward model's tokenizer, whose chat template it is",
                    field="tokenizer",
                )
            return
        try:
            tokenizer: Any = load_tokenizer(resolve(spec.tokenizer))
        except DarwinError as error:
            raise type(error)(error.message, field="tokenizer") from error
        special = [str(token.content) for token in tokenizer.added_tokens_decoder.values() if token.special]
        self._control = re.compile("|".join(map(re.escape, sorted(special, key=len, reverse=True))) or r"(?!)")
        self._format = chat_format(tokenizer, spec, spec.max_tokens)
        self._tokenizer = tokenizer
        self._frame = frame_of(tokenizer) if spec.api == "tei-predict" else Frame()

    def render(self, item: ScoreItem) -> Rendered:
        """Raises InvalidRequest where the chat template refuses the conversation."""
        spec = self._spec
        if self._format is None:
            return Rendered(self._pair(item) if spec.api == "tei-predict" else self._chat(item))
        if spec.api in ("vllm-classify", "vllm-pooling"):
            ids = self._format.encode(item).token_ids
            return Rendered(ids, len(ids))
        ids = self._format.encode(self._unspelled(item)).token_ids
        if spec.segments == 2:
            return Rendered(self._pair(self._unspelled(item)), len(ids))
        return Rendered(self._text(ids), len(ids))

    def _turns(self, item: ScoreItem) -> tuple[Message, ...]:
        return tuple(m for m in item.conversation.messages if m.role != "system" or self._spec.system != "drop")

    def _pair(self, item: ScoreItem) -> tuple[str, str]:
        return "\n\n".join(message.content for message in self._turns(item)), item.text

    def _chat(self, item: ScoreItem) -> Chat:
        return Chat((*self._turns(item), Message("assistant", item.text)), item.partial)

    def _text(self, ids: tuple[int, ...]) -> str:
        """The text that the server turns into these ids, without those that it adds itself."""
        before, after = self._frame.before, self._frame.after
        ids = ids[len(before) :] if before and ids[: len(before)] == before else ids
        ids = ids[: len(ids) - len(after)] if after and ids[-len(after) :] == after else ids
        text: str = self._tokenizer.decode(list(ids), skip_special_tokens=False)
        return text

    def _unspelled(self, item: ScoreItem) -> ScoreItem:
        messages = tuple(replace(m, content=self._broken(m.content)) for m in item.conversation.messages)
        return replace(item, conversation=replace(item.conversation, messages=messages), text=self._broken(item.text))

    def _broken(self, text: str) -> str:
        return self._control.sub(lambda found: found.group()[:1] + _UNSEEN + found.group()[1:], text)
