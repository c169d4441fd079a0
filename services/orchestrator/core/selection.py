"""Who survives, who is replaced by whom, what the archive keeps; and the random draws all of it uses."""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol

from shared.records.evolution import ArchiveEntry, Replacement


class Draws(Protocol):
    """Every random choice of an evolution, each returning an index below `count`."""

    def parent(self, cycle: int, count: int) -> int: ...

    def donor(self, cycle: int, round: int, state: int, count: int) -> int: ...


class CounterDraws:
    """Draws that depend only on (seed, what is drawn, position), so a repeated step draws the same."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def parent(self, cycle: int, count: int) -> int:
        return keyed_integer(self._seed, "parent", cycle) % count

    def donor(self, cycle: int, round: int, state: int, count: int) -> int:
        return keyed_integer(self._seed, "donor", cycle, round, state) % count


def keyed_integer(seed: int, *key: object) -> int:
    """A 63-bit integer, uniform over keys and seeds (BLAKE2b)."""
    digest = hashlib.blake2b(repr((seed, *key)).encode(), digest_size=8).digest()
    return int.from_bytes(digest) >> 1


def survivors(rewards: Sequence[float], count: int) -> tuple[int, ...]:
    """Indices of the `count` highest rewards, best first, the lower index first among equals."""
    return tuple(sorted(range(len(rewards)), key=lambda i: -rewards[i])[:count])


def replacements(
    surviving: Sequence[int], finished: Sequence[bool], draw: Callable[[int, int], int]
) -> tuple[Replacement, ...]:
    """A donor for each state that neither survives nor is finished; `draw(state, count)` picks among survivors."""
    losers = [i for i, done in enumerate(finished) if not done and i not in surviving]
    return tuple(Replacement(i, surviving[draw(i, len(surviving))]) for i in losers)


def candidates(survivals: Sequence[int], count: int) -> tuple[int, ...]:
    """The `count` states that survived most often, first seen first among equals."""
    return tuple(index for index, _ in Counter(survivals).most_common(count))


def update_archive(
    archive: Sequence[ArchiveEntry], parent: str, offered: Sequence[ArchiveEntry]
) -> tuple[ArchiveEntry, ...]:
    """The archive after a cycle, in insertion order.

    An offered instruction whose reward is greater than the parent's enters, or takes the new reward in place. Where
    one that differs from the parent entered, the parent leaves.
    """
    rewards = {entry.instruction: entry.reward for entry in archive}
    bar = rewards[parent]
    entered = [entry for entry in offered if entry.reward > bar]
    rewards.update({entry.instruction: entry.reward for entry in entered})
    if any(entry.instruction != parent for entry in entered):
        del rewards[parent]
    return tuple(ArchiveEntry(instruction, reward) for instruction, reward in rewards.items())
