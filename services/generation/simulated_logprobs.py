"""The log probabilities of the engine without a model."""

import heapq
import math
from collections.abc import Mapping

from services.generation.engine import Likelihoods


def likelihoods(chosen: int, chances: Mapping[int, float], alternatives: int) -> Likelihoods:
    """Of a token, and of so many of the likeliest by these chances, among equals the token itself first."""
    best = heapq.nlargest(alternatives, chances, key=lambda token: (chances[token], token == chosen))
    return Likelihoods(_log(chances.get(chosen, 0.0)), tuple((token, _log(chances[token])) for token in best))


def _log(chance: float) -> float:
    return math.log(chance) if chance > 0 else -math.inf
