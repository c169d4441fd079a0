"""What is already computed of recent responses, so that a growing one costs its new tokens only."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from services.reward.lru import Lru


@dataclass(frozen=True)
class Response:
    """A response's tokens, the keys and values of its prompt and itself, and the running sum of its token rewards."""

    tokens: tuple[int, ...]
    past: torch.Tensor
    sums: tuple[float, ...]


class Prefixes:
    """Responses by conversation, the least recently used forgotten beyond `capacity` bytes of keys and values."""

    def __init__(self, capacity: int) -> None:
        self._kept: Lru[tuple[bytes, tuple[int, ...]], Response] = Lru(capacity)
        self._by_conversation: dict[bytes, set[tuple[int, ...]]] = {}

    @property
    def size(self) -> int:
        """Bytes kept."""
        return self._kept.cost

    def longest(self, conversation: bytes, tokens: Sequence[int]) -> tuple[Response, int] | None:
        """The response of that conversation with the longest common prefix, and that prefix's length (0 for a bare
        prompt); None where nothing of the conversation is kept."""
        known = self._by_conversation.get(conversation)
        if not known:
            return None
        best = max(known, key=lambda other: common_prefix(other, tokens))
        response = self._kept.get((conversation, best))
        assert response is not None
        return response, common_prefix(best, tokens)

    def put(self, conversation: bytes, response: Response) -> None:
        """Keeps the response and forgets those it continues, which it can stand for."""
        known = self._by_conversation.setdefault(conversation, set())
        for other in [other for other in known if response.tokens[: len(other)] == other]:
            known.discard(other)
            self._kept.remove((conversation, other))
        known.add(response.tokens)
        size = response.past.nelement() * response.past.element_size()
        for evicted_from, tokens in self._kept.put((conversation, response.tokens), response, size):
            self._by_conversation[evicted_from].discard(tokens)
            if not self._by_conversation[evicted_from]:
                del self._by_conversation[evicted_from]


def common_prefix(left: Sequence[int], right: Sequence[int]) -> int:
    """How many leading elements are equal."""
    length = min(len(left), len(right))
    if left[:length] == right[:length]:
        return length
    return next(index for index in range(length) if left[index] != right[index])
