"""The port to reward models: what every scorer offers, whatever its model."""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Protocol, runtime_checkable

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
        """16 bytes that are equal only for equal conversations of one salt."""
        parts = [part for message in self.messages for part in (message.role, message.content)]
        return _digest((*parts, self.cache_salt) if self.cache_salt else parts)


@dataclass(frozen=True)
class ScoreItem:
    """A response, possibly empty, to score against its conversation; a `partial` one may go on.

    Its text ends anywhere, within a word or a sentence. Where the response is JSON, `text` is that of its values, and
    `written` the response itself, which only its form is judged by. `self_certainty` is how certain the language model
    was of it, the mean over its tokens; None where no component reads that.
    """

    conversation: Conversation
    text: str
    partial: bool = False
    written: str = ""
    self_certainty: float | None = None

    @cached_property
    def digest(self) -> bytes:
        """32 bytes that are equal only for equal items."""
        parts = [self.text]
        if self.partial:
            parts.append("partial")
        if self.written:
            parts += ["written", self.written]
        if self.self_certainty is not None:
            parts += ["self_certainty", repr(self.self_certainty)]
        return self.conversation.digest + _digest(parts)


@dataclass(frozen=True)
class Part:
    """One of the values that a component's value is made of; one that is not `known` yet counts meanwhile."""

    name: str
    value: float
    known: bool = True


@dataclass(frozen=True)
class ComponentScore:
    """One item's score: its `value`, and how many tokens the model computed for it and reused from its cache.

    `abstained` says why the value tells nothing: one of the reasons below, empty where it does. `parts` are told, and
    may be required, by the component's name and theirs. Of one that compares, `preferences` are P(the item is better
    than another), by the place of that in the population, of the pairs that were compared, each told once.
    """

    value: float
    computed_tokens: int = 0
    cached_tokens: int = 0
    abstained: str = ""
    parts: tuple[Part, ...] = ()
    preferences: tuple[tuple[int, float], ...] = ()


EMPTY_RESPONSE = "empty"
OUT_OF_DISTRIBUTION = "out_of_distribution"
UNDECIDED = "undecided"
"""A judge answers a question in neither of the ways that it was asked for."""


TRIAL = ScoreItem(Conversation((Message("user", "Name a fruit."),)), "An apple.", self_certainty=1.0)
"""Scorers may score this when they load, so that what they cannot compute shows before the first call."""


class ComponentScorer(Protocol):
    """Scores batches of responses, for one component of a profile.

    All methods run on the event loop and must not block it; what computes in this process implements `BlockingScorer`
    instead. A score must not depend on the other items of its batch, but for rounding: scores are remembered, and items
    of several calls share a batch. A response may be partial, and is scored again as it grows. A batch mixes
    conversations and never holds an item twice.
    """

    @property
    def batches(self) -> int:
        """At most so many calls of `score` are under way at once."""
        ...

    @property
    def max_batch(self) -> int | None:
        """At most so many items are in a batch; None where the service's own limit will do."""
        ...

    async def load(self) -> None:
        """Called once, before any `score`.

        Raises:
            NotFound, Unsupported, InvalidRequest: the component cannot be served; `field` names what to change.
        """
        ...

    async def score(self, batch: Sequence[ScoreItem]) -> list[ComponentScore]:
        """One score per item, in the order of the items; values that are not finite are refused by the caller."""
        ...

    async def close(self) -> None:
        """Frees everything, also where `load` has failed."""
        ...

    async def failed(self) -> str:
        """Waits, once everything is loaded, until the scorer can serve no longer, which may be forever; returns why.

        It must not return for any other reason, since the process ends as soon as it does.
        """
        ...


@runtime_checkable
class Comparer(Protocol):
    """Scores the responses of a population by comparing them, for one component of a profile; all of one conversation.

    Its scores mean something among those of one call only. It keeps what `ComponentScorer` says beside that, and may be
    called while other calls are under way.
    """

    async def load(self) -> None: ...

    async def compare(self, population: Sequence[ScoreItem]) -> list[ComponentScore]:
        """One score per item, in the order of the items, some of which may be equal."""
        ...

    async def close(self) -> None: ...

    async def failed(self) -> str: ...


class BlockingScorer(Protocol):
    """A scorer that computes in this process; `services.reward.threads` makes it a `ComponentScorer`.

    Each scorer has one thread of its own, which makes it and makes all its calls, one after another: its methods may
    block, and need no locks. What `ComponentScorer` says of scores holds here too.
    """

    def load(self) -> None: ...

    def score(self, batch: Sequence[ScoreItem]) -> list[ComponentScore]: ...

    def close(self) -> None: ...


class ItemScorer(BlockingScorer):
    """A blocking scorer without a model, which scores each response by itself; it may have nothing to load or close."""

    def load(self) -> None:
        return None

    def close(self) -> None:
        return None

    @abstractmethod
    def _score(self, item: ScoreItem) -> ComponentScore: ...

    def score(self, batch: Sequence[ScoreItem]) -> list[ComponentScore]:
        return [self._score(item) for item in batch]


def _digest(parts: Iterable[str]) -> bytes:
    state = blake2b(digest_size=16)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        state.update(len(data).to_bytes(8, "big"))
        state.update(data)
    return state.digest()
