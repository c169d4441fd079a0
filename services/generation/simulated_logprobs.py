"""The log probabilities of the engine without a model."""

import heapq
import math
from collections.abc import Mapping, Sequence

from services.generation.engine import Likelihoods

_STEPS = 1024
_MOST_CERTAIN = 12


def likelihoods(chosen: int, chances: Mapping[int, float], alternatives: int, draw: int) -> Likelihoods:
    """Of a token, and of so many of the likeliest by these chances, among equals the token itself first.

    Since nothing says how certain of it a model would be, the integer `draw` does: a multiple of 1/1024 in [0, 12).
    """
    best = heapq.nlargest(alternatives, chances, key=lambda token: (chances[token], token == chosen))
    top = tuple((token, _log(chances[token])) for token in best)
    return Likelihoods(_log(chances.get(chosen, 0.0)), top, draw % (_MOST_CERTAIN * _STEPS) / _STEPS)


def chances_of_words(words: Sequence[str], ends: float) -> dict[int, float]:
    """Each word, whose id is its place from 1 on, is as likely as any other; id 0 ends a response with the chance
    `ends`."""
    of_words = {token: (1 - ends) / len(words) for token in range(1, 1 + len(words))}
    return {0: ends, **of_words} if ends else of_words


def _log(chance: float) -> float:
    return math.log(chance) if chance > 0 else -math.inf
