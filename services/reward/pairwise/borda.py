"""The Enhanced Borda Count of LLaMA-Berry (arXiv 2410.02884): an order of all from comparisons of some. Pure.

Comparisons are known as P(i beats j) of pairs i < j of 0 … n - 1, and a pair may be unknown: what others imply by
transitivity stands for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

Known = Mapping[tuple[int, int], float]
"""P(i beats j) by (i, j), i < j."""
_EVEN = 0.5


@dataclass(frozen=True)
class Ranking:
    """`counts`: how many others each beats, by transitivity too; `order`: from the best to the worst; `values`: from 1
    for the best to 0 for the worst, the same for those that nothing tells apart."""

    counts: tuple[int, ...]
    order: tuple[int, ...]
    values: tuple[float, ...]


def without_position(first: float, second: float) -> float:
    """P(i beats j), from P(i beats j) where i is shown first and P(j beats i) where j is: what is gained by being first
    cancels."""
    return (first + 1 - second) / 2


def reached(known: Known, count: int) -> list[list[bool]]:
    """Who beats whom, directly or over others (Floyd-Warshall); nobody beats itself. At P = 1/2 both do."""
    beats = [0] * count  # whom each beats, as bits
    for (i, j), chance in known.items():
        beats[i] |= (chance >= _EVEN) << j
        beats[j] |= (chance <= _EVEN) << i
    for over in range(count):
        for i in range(count):
            if beats[i] >> over & 1:
                beats[i] |= beats[over]
    return [[bool(row >> j & 1) and i != j for j in range(count)] for i, row in enumerate(beats)]


def ranking(known: Known, count: int) -> Ranking:
    """Ranks by how many each beats, among equals by the sum of P over all others (1/2 where unknown), then by index.

    The paper breaks ties by P of the pair, which is not transitive on a cycle, so that the order depended on how it is
    sorted.
    """
    counts = tuple(sum(row) for row in reached(known, count))
    sums = [_EVEN * (count - 1)] * count
    for (i, j), chance in known.items():
        sums[i] += chance - _EVEN
        sums[j] += _EVEN - chance
    keys = [(-beaten, -round(total, 9)) for beaten, total in zip(counts, sums, strict=True)]
    order = tuple(sorted(range(count), key=lambda i: (keys[i], i)))
    places: dict[tuple[int, float], list[int]] = {}
    for place, i in enumerate(order):
        places.setdefault(keys[i], []).append(place)
    last = max(count - 1, 1)
    return Ranking(counts, order, tuple(1 - sum(places[key]) / len(places[key]) / last for key in keys))


def next_pairs(known: Known, count: int, left: int) -> list[tuple[int, int]]:
    """Which pairs to compare next, at once: of those that nothing decides yet, the nearest in rank first, each response
    in one of them at most, `left` pairs at most. Empty once everything is decided."""
    beats, order = reached(known, count), ranking(known, count).order
    place = {i: position for position, i in enumerate(order)}
    open_pairs = [(i, j) for i, j in combinations(range(count), 2) if not (beats[i][j] or beats[j][i])]
    open_pairs.sort(key=lambda pair: (abs(place[pair[0]] - place[pair[1]]), min(place[pair[0]], place[pair[1]])))
    chosen: list[tuple[int, int]] = []
    taken: set[int] = set()
    for i, j in open_pairs:
        if len(chosen) < left and taken.isdisjoint((i, j)):
            chosen.append((i, j))
            taken |= {i, j}
    return chosen
