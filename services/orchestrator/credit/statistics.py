"""What names have earned, estimated from observations. Pure.

A gain is the sum of what its population gained as a whole, of what its name earns, of what its length brings, and of
noise. Populations differ far more than names do, hence the first term; it is fitted with the second by turns
(backfitting of a two-way layout). The third is the slope of reward on growth within populations, where it is positive:
what more text alone would have brought is no gain. A negative slope is left in: no reward model is known to like short
answers by mistake, and a profile that pays for brevity means it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from shared.records.credit import Credit, Earned, Observation

_TURNS = 20
# As if this much squared growth had been seen without any gain: a population or two do not tell a slope.
_RIDGE = 0.5
_LEAST_NOISE = 1e-6

_Numbers = npt.NDArray[np.float64]
_Indices = npt.NDArray[np.int64]


class _Table(NamedTuple):
    """Gains as arrays of shape (gains,); and of shape (namings,) which gain has which name, by indices."""

    population: _Indices
    reward: _Numbers
    growth: _Numbers
    weight: _Numbers
    gain_of: _Indices
    name_of: _Indices
    names: tuple[str, ...]


def credit_of(observations: Sequence[Observation], half_life: float) -> Credit | None:
    """The credit from observations, the oldest first; None where nothing can be told.

    What is `half_life` evolutions old counts half. A mutant with two lines counts for both.
    """
    table = _tabulated(observations, half_life)
    sizes = np.bincount(table.population)
    degrees = float(table.weight @ (1 - 1 / sizes[table.population])) if len(sizes) else 0.0
    if degrees <= 0:
        return None
    gains = table.reward - max(0.0, _slope(table)) * table.growth
    fitted: _Numbers = np.zeros_like(gains)
    weights = np.bincount(table.name_of, table.weight[table.gain_of])
    shares = np.bincount(table.gain_of)[table.gain_of]
    for _ in range(_TURNS):
        levels = _by_population(table, gains - fitted)
        over = np.bincount(table.name_of, (table.weight * (gains - levels))[table.gain_of])
        # Each name's mean has a prior of one gain of nothing.
        shrunk: _Numbers = (over / (weights + 1))[table.name_of] / shares
        fitted = np.bincount(table.gain_of, shrunk).astype(np.float64)
    noise = float(table.weight @ (gains - levels - fitted) ** 2 / degrees) ** 0.5
    overall = float(table.weight @ levels / table.weight.sum())
    means = overall + over / weights
    earned = {name: Earned(float(means[i]), float(weights[i])) for i, name in enumerate(table.names)}
    return Credit(earned, max(_LEAST_NOISE, noise))


def _tabulated(observations: Sequence[Observation], half_life: float) -> _Table:
    """The gains of all observations that have some."""
    rows: list[tuple[float, float, float, float]] = []
    namings: list[tuple[int, int]] = []
    population = 0
    index: dict[str, int] = {}
    newer: set[str] = set()
    for observation in reversed(observations):
        weight = 0.5 ** (len(newer - {observation.evolution}) / half_life)
        newer.add(observation.evolution)
        for gain in observation.gains:
            namings += [(len(rows), index.setdefault(name, len(index))) for name in gain.operator.split("+")]
            rows.append((population, gain.reward, gain.growth, weight))
        population += bool(observation.gains)
    numbers = np.array(rows, np.float64).reshape(-1, 4)
    pairs = np.array(namings, np.int64).reshape(-1, 2)
    populations, reward, growth, weights = numbers.T
    return _Table(populations.astype(np.int64), reward, growth, weights, pairs[:, 0], pairs[:, 1], tuple(index))


def _slope(table: _Table) -> float:
    """Of reward on growth within populations."""
    growth = table.growth - _by_population(table, table.growth)
    return float((table.weight * growth) @ table.reward / ((table.weight * growth) @ growth + _RIDGE))


def _by_population(table: _Table, values: _Numbers) -> _Numbers:
    """The mean of each gain's population."""
    means: _Numbers = np.bincount(table.population, values) / np.bincount(table.population)
    return means[table.population]
