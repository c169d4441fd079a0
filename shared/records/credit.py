"""What lines and operators of mutation have earned: what is kept of each cycle, and what is made of it."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Gain:
    """What a mutant made by `operator` (a line or an operator of mutation, by name) brought: the reward of its final
    response less that of its parent's, and the logarithm of how much longer its response is than its parent's."""

    operator: str
    reward: float
    growth: float


@dataclass(frozen=True)
class Observation:
    """The gains of a cycle's mutants. `id` is of the evolution and the cycle, `at` in Unix seconds. The `profile` is
    `profile_owner`'s own, or, where that is empty, nobody's.

    `vector` is the instruction's embedding, in base64 of little-endian float16; empty where there is none. Neither the
    instruction nor any response is kept.
    """

    id: str
    at: float
    profile: str
    gains: tuple[Gain, ...]
    vector: str = ""
    profile_owner: str = ""

    @property
    def evolution(self) -> str:
        return self.id.rpartition(":")[0]


@dataclass(frozen=True)
class Earned:
    """What a name has earned: the mean of its gains at equal length, in the reward's unit, and how many there were,
    older ones counting less."""

    mean: float
    weight: float


@dataclass(frozen=True)
class Credit:
    """What names have earned, and the standard deviation of one gain from its name's mean."""

    earned: Mapping[str, Earned]
    noise: float
