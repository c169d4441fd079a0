"""Survivors that do not all say the same: maximal marginal relevance (Carbonell and Goldstein, 1998).

An embedding is a text of hexadecimal digits, two for each number, a signed byte: so it is short where evolutions are
kept. Only the direction counts.
"""

from collections.abc import Callable, Sequence
from math import sqrt

_OF_A_BYTE = 128


def cosine(one: str, other: str) -> float:
    """Of two embeddings of the same width; 0 where there is one of them only, or none.

    Raises:
        ValueError: they are none, or differ in width.
    """
    if not (one and other):
        return 0.0
    first, second = _numbers(one), _numbers(other)
    product = sum(a * b for a, b in zip(first, second, strict=True))
    lengths = sqrt(sum(a * a for a in first) * sum(b * b for b in second))
    return product / lengths if lengths else 0.0


def _numbers(embedding: str) -> list[int]:
    return [(byte + _OF_A_BYTE) % (2 * _OF_A_BYTE) - _OF_A_BYTE for byte in bytes.fromhex(embedding)]


def diverse(
    ranked: Sequence[int], reward: Callable[[int], float], embeddings: Sequence[str], diversity: float, count: int
) -> tuple[int, ...]:
    """At most `count` of the ranked states: the first, and then each time the one whose reward, less `diversity` times
    its greatest cosine to those chosen before, is greatest, the earlier first among equals.
    """
    left, chosen = list(ranked), list[int]()
    alike = dict.fromkeys(left, 0.0)
    while left and len(chosen) < count:
        best = max(left, key=lambda state: reward(state) - diversity * alike[state])
        left.remove(best)
        for state in left:
            found = cosine(embeddings[best], embeddings[state])
            alike[state] = max(alike[state], found) if chosen else found
        chosen.append(best)
    return tuple(chosen)
