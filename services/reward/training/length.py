"""Fitting a length curve: LOWESS of rewards over lengths (Cleveland 1979), without its robustness iterations."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shared.errors import InvalidRequest

Array = NDArray[np.float64]

FEWEST = 50
"""Responses that a curve needs."""

_SPAN = 0.5
_KNOTS = 24


def fit_curve(characters: Sequence[int], rewards: Sequence[float]) -> tuple[Array, Array]:
    """The knots of a curve: numbers of characters [k], ascending, and the mean reward [k] at each.

    Raises:
        InvalidRequest: too few responses, or all of one length.
    """
    if len(characters) < FEWEST:
        raise InvalidRequest(f"a length curve needs at least {FEWEST} responses, not {len(characters)}")
    lengths = np.asarray(characters, dtype=np.float64)
    knots = np.unique(np.round(np.quantile(lengths, np.linspace(0, 1, _KNOTS))))
    if len(knots) < 2:
        raise InvalidRequest("a length curve needs responses of several lengths")
    at, values = np.log1p(lengths), np.asarray(rewards, dtype=np.float64)
    return knots, np.array([_local_mean(at, values, knot) for knot in np.log1p(knots)])


def _local_mean(at: Array, values: Array, knot: float) -> float:
    """A line through the nearest of the points, weighted by the tricube of their distance, at `knot`."""
    distances = np.abs(at - knot)
    # A little further than the last point, which would count nothing: all may be equally far.
    reach = max(1.001 * float(np.quantile(distances, _SPAN)), 1e-9)
    weights = np.clip(1 - (distances / reach) ** 3, 0, None) ** 3
    centre = float(weights @ at / weights.sum())
    spread = float(weights @ np.square(at - centre))
    mean = float(weights @ values / weights.sum())
    if spread < 1e-12:
        return mean
    return mean + float(weights @ ((at - centre) * values)) / spread * (knot - centre)
