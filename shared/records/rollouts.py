"""Versions of a reward profile beside the promoted one: a shadow, which only scores; a canary, which a share gets."""

from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

from shared.records.evolution import Record

CanaryUnit = Literal["user", "evolution"]
CanaryMetric = Literal["feedback", "judge"]
LEAST_SHARE, MOST_SHARE = 0.01, 0.99
"""Of a canary: evidence in units of the rarer version takes too long beyond."""
LEAST_LEVEL, MOST_LEVEL = 0.001, 0.2
MAX_OUTCOMES = 100_000
"""Outcomes of one canary; later ones are not counted."""


@dataclass(frozen=True)
class Shadow:
    """A version that scores what a `share` of the evolutions under the promoted one have found, once they have ended.
    Nothing that anybody is answered depends on it. What is counted of it is kept by its `id`.
    """

    id: str
    version: int
    share: float

    def takes(self, evolution_id: str) -> bool:
        """Whether it scores this evolution."""
        return uniform(self.id, evolution_id) < self.share


@dataclass(frozen=True)
class Canary:
    """A version that a `share` of those who name the profile get, by a hash of the user or of the evolution.

    Outcomes in [0, 1] are users' feedback, or what `judge`, name@version of `judge_owner`, makes of the answer. The
    sequential test errs with probability `level` at most; where it is `automatic`, its result is put into effect.
    """

    id: str
    version: int
    share: float
    by: CanaryUnit
    metric: CanaryMetric
    level: float
    automatic: bool = False
    judge: str = ""
    judge_owner: str = ""

    def unit_of(self, record: Record) -> str:
        """What is drawn, and counts once: the user that the request names, or its API key; or the evolution, where
        there is neither, or evolutions are drawn."""
        user = record.request.user or record.key_id
        return f"user {record.request.tenant}\0{user}" if self.by == "user" and user else f"evolution {record.id}"

    def takes(self, unit: str) -> bool:
        """Whether this unit gets the canary's version."""
        return uniform(self.id, unit) < self.share


@dataclass(frozen=True)
class Compared:
    """What a shadow would have decided otherwise, on so many `evolutions`.

    `picks` are answers that would have been others. `decisions` are those of rounds that replace, about each state that
    could have been replaced, and `differing` those that would have been others.
    """

    evolutions: int = 0
    picks: int = 0
    decisions: int = 0
    differing: int = 0


def uniform(*key: str) -> float:
    """A number in [0, 1), uniform over keys (BLAKE2b)."""
    digest = blake2b("\0".join(key).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return (int.from_bytes(digest) >> 11) / 2**53
