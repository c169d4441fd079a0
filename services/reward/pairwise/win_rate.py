"""WIND's fixed point (arXiv 2410.20727): how often a response wins against those that win often. Pure.

For preferences P and a reference over the responses, here the uniform one, as they were sampled alike, it is
    pi(y) in proportion to exp((P pi)(y) / beta),    (P pi)(y) = sum over y' of P(y beats y') pi(y').
"""

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
_STEPS, _TOLERANCE = 10_000, 1e-15


def equilibrium(preferences: Numbers, beta: float) -> Numbers:
    """The fixed point for P(i beats j) in row i, which adds up to 1.

    Proximal steps of a size at which they converge whatever the preferences are: a step turns around the fixed point by
    at most 1/2 times its size, and draws towards it by beta times that.
    """
    count = len(preferences)
    step = min(1.0, 4 * beta)
    logs = np.full(count, -np.log(count))
    share: Numbers = np.exp(logs)
    for _ in range(_STEPS):
        logs = (logs + step * (preferences @ share)) / (1 + beta * step)
        logs -= np.logaddexp.reduce(logs)
        before, share = share, np.exp(logs)
        if np.abs(share - before).max() < _TOLERANCE:
            break
    return share


def win_rates(rewards: list[float], beta: float) -> list[float]:
    """The rate (P pi)(y) of each response at the fixed point, in [0, 1], where P(y beats y') is the logistic function
    of the difference of rewards (Bradley and Terry). What is added to all rewards changes nothing.
    """
    values = np.asarray(rewards, dtype=np.float64)
    preferences = 0.5 + 0.5 * np.tanh((values[:, None] - values[None, :]) / 2)
    rates: list[float] = (preferences @ equilibrium(preferences, beta)).tolist()
    return rates
