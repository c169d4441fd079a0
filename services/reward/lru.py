"""A least-recently-used map bounded by the sum of its values' costs."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Lru(Generic[K, V]):
    """Forgets what was used longest ago once the costs (any unit) exceed `capacity`; `get` counts as use."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._entries: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self.cost = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: K) -> V | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._entries.move_to_end(key)
        return entry[0]

    def put(self, key: K, value: V, cost: int = 1) -> list[K]:
        """Adds or replaces; returns the keys that had to go, possibly `key` itself where it alone is too big."""
        self.remove(key)
        self._entries[key] = (value, cost)
        self.cost += cost
        evicted = []
        while self.cost > self._capacity:
            oldest, (_, freed) = self._entries.popitem(last=False)
            self.cost -= freed
            evicted.append(oldest)
        return evicted

    def remove(self, key: K) -> None:
        _, freed = self._entries.pop(key, (None, 0))
        self.cost -= freed
