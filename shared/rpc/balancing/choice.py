"""The choice of a replica, pure: rendezvous hashing by a key, with bounded load."""

import math
import random
from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b

FACTOR = 1.25
"""A replica whose load is this many times the mean gets no more calls for the sake of their key."""


@lru_cache(maxsize=8192)
def ranked(key: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """The names in the order in which `key` prefers them, which is the same in every process.

    Highest random weight (Thaler and Ravishankar 1998): a name that leaves moves only the keys that preferred it, one
    that joins takes only those that prefer it to all others.
    """
    return tuple(sorted(names, key=lambda name: _weight(key, name), reverse=True))


def choose(names: tuple[str, ...], loads: Mapping[str, int], added: int, key: str = "", factor: float = FACTOR) -> str:
    """Chooses the name that takes `added` ≥ 1 more sequences, where each holds `loads[name]`.

    With a key it is the first that the key prefers among those whose load is below the bound, which is `factor` times
    what each would hold if all held the same (Mirrokni, Thorup and Zadimoghaddam 2016). Without a key it is the least
    loaded; ties are broken at random.
    """
    if not key:
        return min(names, key=lambda name: (loads[name], random.random()))
    bound = bound_of(sum(loads[name] for name in names) + added, len(names), factor)
    return next(name for name in ranked(key, names) if loads[name] < bound)


def bound_of(total: int, replicas: int, factor: float = FACTOR) -> int:
    """The load from which on a replica takes no more, where all hold `total` ≥ 1. One replica is always below it."""
    return math.ceil(factor * total / replicas)


def _weight(key: str, name: str) -> bytes:
    return blake2b(f"{key}\0{name}".encode(), digest_size=8).digest()
