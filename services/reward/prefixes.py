"""Keeps what is computed of recent responses, so that a growing one costs its new tokens only."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from cachetools import LRUCache

PrefixKey = tuple[bytes, tuple[int, ...]]
"""A conversation's digest, and a response's tokens."""


@dataclass(frozen=True)
class ComputedResponse:
    """A response's tokens, the keys and values of its prompt and itself, and the running sum of its token rewards."""

    tokens: tuple[int, ...]
    past: torch.Tensor
    sums: tuple[float, ...]

    @property
    def size(self) -> int:
        """Bytes of keys and values."""
        return self.past.nelement() * self.past.element_size()


class Prefixes:
    """Responses by conversation, the least recently used forgotten beyond `capacity` bytes of keys and values."""

    def __init__(self, capacity: int) -> None:
        self._kept = _ReportingCache(capacity, self._forget)
        self._by_conversation: dict[bytes, set[tuple[int, ...]]] = {}

    @property
    def size(self) -> int:
        """Bytes kept."""
        return int(self._kept.currsize)

    def longest(self, conversation: bytes, tokens: Sequence[int]) -> tuple[ComputedResponse, int] | None:
        """The response of that conversation with the longest common prefix, and that prefix's length (0 for a bare
        prompt); None where nothing of the conversation is kept."""
        known = self._by_conversation.get(conversation)
        if not known:
            return None
        best = max(known, key=lambda other: common_prefix(other, tokens))
        return self._kept[conversation, best], common_prefix(best, tokens)

    def put(self, conversation: bytes, response: ComputedResponse) -> None:
        """Keeps the response, unless it alone is too large, and forgets those it continues, for which it can stand."""
        for other in tuple(self._by_conversation.get(conversation, ())):
            if response.tokens[: len(other)] == other:
                del self._kept[conversation, other]
                self._forget((conversation, other))
        if response.size <= self._kept.maxsize:
            self._kept[conversation, response.tokens] = response
            self._by_conversation.setdefault(conversation, set()).add(response.tokens)

    def _forget(self, key: PrefixKey) -> None:
        conversation, tokens = key
        self._by_conversation[conversation].discard(tokens)
        if not self._by_conversation[conversation]:
            del self._by_conversation[conversation]


class _ReportingCache(LRUCache[PrefixKey, ComputedResponse]):
    """Counts a response by its bytes, and calls `evicted` with the key of each that has to go for another."""

    def __init__(self, capacity: int, evicted: Callable[[PrefixKey], None]) -> None:
        super().__init__(capacity, lambda response: response.size)
        self._evicted = evicted

    def popitem(self) -> tuple[PrefixKey, ComputedResponse]:
        key, response = super().popitem()
        self._evicted(key)
        return key, response


def common_prefix(left: Sequence[int], right: Sequence[int]) -> int:
    """How many leading elements are equal."""
    length = min(len(left), len(right))
    if left[:length] == right[:length]:
        return length
    return next(index for index in range(length) if left[index] != right[index])
