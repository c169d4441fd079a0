"""Keeps what is computed of recent conversations, so that a growing response costs its new tokens only."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from cachetools import LRUCache

Key = tuple[bytes, tuple[int, ...] | None]
"""A conversation's digest, and a response's tokens; None for the conversation's prompt."""


@dataclass(frozen=True)
class ComputedPrompt:
    """The keys and values of a conversation's prompt, which all its responses share."""

    past: torch.Tensor


@dataclass(frozen=True)
class ComputedResponse:
    """A response's tokens, their keys and values, and the running sum of its token rewards.

    `features` [tokens, hidden] are the running sums of what the rewards are made of, where those are needed.
    """

    tokens: tuple[int, ...]
    past: torch.Tensor
    sums: tuple[float, ...]
    features: torch.Tensor | None = None


class Prefixes:
    """Prompts, and responses by conversation; the least recently used are forgotten beyond `capacity` bytes of keys and
    values, a prompt together with its responses."""

    def __init__(self, capacity: int) -> None:
        self._kept = _ReportingCache(capacity, self._forget)
        self._by_conversation: dict[bytes, set[tuple[int, ...]]] = {}

    @property
    def size(self) -> int:
        """Bytes kept."""
        return int(self._kept.currsize)

    def prompt(self, conversation: bytes) -> ComputedPrompt | None:
        """The conversation's prompt, where it is kept."""
        found = self._kept.get((conversation, None))
        assert found is None or isinstance(found, ComputedPrompt)
        return found

    def longest(self, conversation: bytes, tokens: Sequence[int]) -> tuple[ComputedResponse, int] | None:
        """The response of that conversation with the longest common prefix, and that prefix's length, at least 1; None
        where no response begins so."""
        known = self._by_conversation.get(conversation, ())
        best = max(known, key=lambda other: common_prefix(other, tokens), default=())
        length = common_prefix(best, tokens)
        if not length:
            return None
        found = self._kept[conversation, best]
        assert isinstance(found, ComputedResponse)
        return found, length

    def put_prompt(self, conversation: bytes, prompt: ComputedPrompt) -> None:
        """Keeps the prompt, unless it alone is too large."""
        if _size(prompt) <= self._kept.maxsize:
            self._kept[conversation, None] = prompt
            self._by_conversation.setdefault(conversation, set())

    def put(self, conversation: bytes, response: ComputedResponse) -> None:
        """Keeps the response, where it and its prompt, which must be kept already, find room together. Forgets those
        that it continues, for which it can stand."""
        prompt = self.prompt(conversation)
        if prompt is None or _size(prompt) + _size(response) > self._kept.maxsize:
            return
        known = self._by_conversation[conversation]
        for other in [other for other in known if response.tokens[: len(other)] == other]:
            del self._kept[conversation, other]
            known.discard(other)
        self._kept[conversation, response.tokens] = response
        known.add(response.tokens)

    def _forget(self, key: Key) -> None:
        conversation, tokens = key
        if tokens is not None:
            self._by_conversation[conversation].discard(tokens)
            return
        for response in self._by_conversation.pop(conversation):
            del self._kept[conversation, response]


class _ReportingCache(LRUCache[Key, ComputedPrompt | ComputedResponse]):
    """Counts entries by their bytes, and calls `evicted` with the key of each that has to go for another."""

    def __init__(self, capacity: int, evicted: Callable[[Key], None]) -> None:
        super().__init__(capacity, _size)
        self._evicted = evicted

    def popitem(self) -> tuple[Key, ComputedPrompt | ComputedResponse]:
        key, entry = super().popitem()
        self._evicted(key)
        return key, entry


def _size(entry: ComputedPrompt | ComputedResponse) -> int:
    """Bytes of keys and values, and of features."""
    features = entry.features if isinstance(entry, ComputedResponse) else None
    return entry.past.nbytes + (0 if features is None else features.nbytes)


def common_prefix(left: Sequence[int], right: Sequence[int]) -> int:
    """How many leading elements are equal."""
    length = min(len(left), len(right))
    if left[:length] == right[:length]:
        return length
    return next(index for index in range(length) if left[index] != right[index])
