"""The port: what every scorer, whatever its model, offers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Protocol

from shared.records import Message


@dataclass(frozen=True)
class Conversation:
    """What a response answers: non-empty, the last message (the instruction) from the user.

    What scorers remember of it may be used for conversations of the same `cache_salt` only.
    """

    messages: tuple[Message, ...]
    cache_salt: str = ""

    @property
    def instruction(self) -> str:
        return self.messages[-1].content

    @cached_property
    def digest(self) -> bytes:
        """Equal for equal conversations of one salt only, 16 bytes."""
        parts = [part for message in self.messages for part in (message.role, message.content)]
        return _digest((*parts, self.cache_salt) if self.cache_salt else parts)


@dataclass(frozen=True)
class ScoreItem:
    """A response, partial or whole, possibly empty, to score against its conversation."""

    conversation: Conversation
    text: str

    @cached_property
    def digest(self) -> bytes:
        """Equal for equal items only, 32 bytes."""
        return self.conversation.digest + _digest((self.text,))


@dataclass(frozen=True)
class ComponentScore:
    """A scorer's answer for one item: how good, and how many tokens its model computed and reused for it."""

    value: float
    computed_tokens: int = 0
    cached_tokens: int = 0


class Scorer(Protocol):
    """Scores batches; all three methods are called from one and the same thread, never at once.

    `score` gives one score per item, in order. The batch may mix conversations and repeat nothing. A value that is not
    finite is refused by the caller of this port.
    """

    def load(self) -> None: ...

    def score(self, batch: Sequence[ScoreItem]) -> list[ComponentScore]: ...

    def close(self) -> None: ...


def _digest(parts: Iterable[str]) -> bytes:
    state = blake2b(digest_size=16)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        state.update(len(data).to_bytes(8, "big"))
        state.update(data)
    return state.digest()
