"""How much the best of some further samples is expected to lie above a bar.

EI_m(b) = ∫_b^∞ (1 − F(x)^m) dx for m independent samples with the distribution F, as in Pandora's box (arXiv
2510.01394).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_STEPS = 256
# A normal variable lies further than this from its mean with a chance of 1e-15.
_FAR = 8.0
_DOUBT = 0.1
_PRIOR_SAMPLES = 2


@dataclass(frozen=True)
class Spread:
    """A normal distribution."""

    mean: float
    sd: float


def expected_excess(cdf: Callable[[float], float], count: int, bar: float, top: float) -> float:
    """How far the best of `count` samples of a distribution is expected to lie above `bar`; none lies above `top`."""
    if top <= bar:
        return 0.0
    width = (top - bar) / _STEPS
    heights = [1.0 - cdf(bar + step * width) ** count for step in range(_STEPS + 1)]
    # Simpson's rule.
    return width / 3 * (heights[0] + heights[-1] + 4 * sum(heights[1:-1:2]) + 2 * sum(heights[2:-1:2]))


def expected_improvement(spread: Spread, count: int, bar: float) -> float:
    """How far the best of `count` normal samples is expected to lie above `bar`."""
    if spread.sd == 0:
        return max(0.0, spread.mean - bar)
    z = (bar - spread.mean) / spread.sd
    below = max(0.0, -_FAR - z)
    return spread.sd * (below + expected_excess(_normal_cdf, count, max(z, -_FAR), _FAR))


def hopeful_spread(gains: Sequence[float]) -> Spread:
    """The normal distribution of gains, as wide as it may yet be for all that so few of them say.

    The standard deviation is drawn towards the gains' root mean square, which knows their scale and is not 0 where all
    are alike, as if two more samples had it. Then it is widened by 1 + √(ln ln n · ln(1/δ) / n) with δ = 0.1, so that
    a few unlucky samples do not end a search; ln ln n counts as 1 at least, so that fewer samples are never less
    in doubt.

    Raises:
        ValueError: there are no gains.
    """
    count = len(gains)
    if not count:
        raise ValueError("a spread of no gains")
    mean = math.fsum(gains) / count
    prior = math.fsum(gain * gain for gain in gains) / count
    variance = (math.fsum((gain - mean) ** 2 for gain in gains) + _PRIOR_SAMPLES * prior) / (count + _PRIOR_SAMPLES)
    slow = max(1.0, math.log(math.log(count))) if count > math.e else 1.0
    return Spread(mean, math.sqrt(variance) * (1 + math.sqrt(slow * math.log(1 / _DOUBT) / count)))


def expected_gain(gains: Sequence[float], parents: Sequence[float], best: float, count: int) -> float:
    """How far the best of `count` children of a parent, which is drawn from those with these rewards, is expected to
    lie above the best response so far, where `gains` are by how much children were better than their parents.
    """
    spread = hopeful_spread(gains)
    each = (expected_improvement(Spread(parent + spread.mean, spread.sd), count, best) for parent in parents)
    return math.fsum(each) / len(parents)


def _normal_cdf(z: float) -> float:
    return 0.5 * math.erfc(-z / math.sqrt(2))
