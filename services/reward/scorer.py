"""The port: what every scorer, whatever its model, offers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Protocol

from shared.records.evolution import Message


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
    """A response, possibly empty, to score against its conversation; a `partial` one may go on."""

    conversation: Conversation
    text: str
    partial: bool = False

    @cached_property
    def digest(self) -> bytes:
        """Equal for equal items only, 32 bytes."""
        return self.conversation.digest + _digest((self.text, "partial") if self.partial else (self.text,))


@dataclass(frozen=True)
class ComponentScore:
    """A scorer's answer for one item: how good, and how many tokens its model computed and reused for it."""

    value: float
    computed_tokens: int = 0
    cached_tokens: int = 0


TRIAL = ScoreItem(Conversation((Message("user", "Name a fruit."),)), "An apple.")
"""What scorers may score when they load: what cannot be done, cannot be done then."""


class ComponentScorer(Protocol):
    """Scores batches. `score` gives one score per item, in order; the batch may mix conversations and repeats nothing.

    A value that is not finite is refused by the caller of this port. At most `batches` calls of `score` are under way
    at once, each of at most `max_batch` items where it says so. No scorer may block the event loop. `failed` is awaited
    once everything is loaded; it returns why the scorer can serve no longer, if that ever happens.
    """

    @property
    def batches(self) -> int: ...

    @property
    def max_batch(self) -> int | None: ...

    async def load(self) -> None: ...

    async def score(self, batch: Sequence[ScoreItem]) -> list[ComponentScore]: ...

    async def close(self) -> None: ...

    async def failed(self) -> str: ...


class BlockingScorer(Protocol):
    """A scorer that computes in this process: `services.reward.threads` makes it a `ComponentScorer`.

    All three methods are called from one and the same thread, never at once.
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
