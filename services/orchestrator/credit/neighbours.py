"""The nearest of many embeddings: a tree of k-means clusters, searched best cluster first. Pure.

With no bound on the leaves the search is exact (branch and bound: what a cluster holds is no nearer than its centre
and radius allow), with one it looks into that many of the most promising clusters. More leaves never find less, because
those that fewer would look into come first.
"""

import base64
import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float32]
"""Of shape (points, width)."""

BRUTE = 10_000
"""Up to so many points a tree is one leaf: comparing with all of them takes less than a tree saves."""
LEAVES = 64
"""How many leaves of a larger tree are worth looking into: all that cannot be ruled out are most of them, since in
hundreds of dimensions a cluster's radius rules out little, and then a tree is slower than no tree."""
_BRANCHES, _LEAF, _TURNS, _SAMPLE = 8, 64, 5, 512
# Of sums of float32 products: what rounding may take from a bound.
_ROUNDING = 1e-4


@dataclass(frozen=True, eq=False)
class Cluster:
    """Points by their indices: all lie within `radius` of `centre`. A leaf has no children."""

    centre: Points
    radius: float
    members: npt.NDArray[np.int64]
    children: tuple["Cluster", ...] = ()

    @property
    def leaves(self) -> int:
        return sum(child.leaves for child in self.children) or 1


def build(points: Points, *, brute: int = BRUTE, leaf: int = _LEAF, branches: int = _BRANCHES) -> Cluster:
    """The tree over one point or more, the same each time. Clusters of more than `leaf` points are divided."""
    every = np.arange(len(points))
    return _cluster(points, every, len(points) if len(points) <= brute else leaf, branches, np.random.default_rng(0))


def nearest(
    points: Points, tree: Cluster, query: Points, count: int, leaves: int | None = None
) -> npt.NDArray[np.int64]:
    """Indices of the `count` points with the greatest inner product with `query` (width,), the nearest first, from the
    `leaves` most promising leaves; None: exactly."""
    length = float(np.linalg.norm(query))
    waiting: list[tuple[float, int, Cluster]] = [(0.0, 0, tree)]
    number, looked, found = 0, 0, np.empty(0, np.int64)
    scores = np.empty(0, np.float32)
    while waiting and (leaves is None or looked < leaves):
        bound, _, cluster = heapq.heappop(waiting)
        if leaves is None and len(found) == count and looked and scores[-1] > -bound + _ROUNDING:
            break
        for child in cluster.children:
            number += 1
            heapq.heappush(waiting, (-float(child.centre @ query) - child.radius * length, number, child))
        if not cluster.children:
            looked += 1
            found = np.concatenate([found, cluster.members])
            order = np.lexsort((found, -(points[found] @ query)))[:count]
            found = found[order]
            scores = points[found] @ query
    return found


def packed(vector: bytes) -> str:
    """A vector of little-endian float32 numbers in half the room, as text."""
    return base64.b64encode(np.frombuffer(vector, "<f4").astype("<f2").tobytes()).decode()


def unpacked(texts: Sequence[str]) -> Points:
    """The vectors of texts of `packed`, which all have one width."""
    return np.stack([np.frombuffer(base64.b64decode(text), "<f2") for text in texts]).astype(np.float32)


def _cluster(
    points: Points, members: npt.NDArray[np.int64], leaf: int, branches: int, rng: np.random.Generator
) -> Cluster:
    own = points[members]
    centre = own.mean(axis=0)
    radius = float(np.linalg.norm(own - centre, axis=1).max())
    if len(members) <= leaf:
        return Cluster(centre, radius, members)
    groups = [group for group in _divided(own, branches, rng) if len(group)]
    if len(groups) == 1:
        return Cluster(centre, radius, members)
    children = tuple(_cluster(points, members[group], leaf, branches, rng) for group in groups)
    return Cluster(centre, radius, members, children)


def _divided(own: Points, branches: int, rng: np.random.Generator) -> list[npt.NDArray[np.int64]]:
    """Lloyd's k-means of a sample, from points drawn at random, and then every point at its nearest centre."""
    sample = own if len(own) <= _SAMPLE else own[rng.choice(len(own), _SAMPLE, replace=False)]
    centres = sample[rng.choice(len(sample), min(branches, len(sample)), replace=False)]
    for _ in range(_TURNS):
        own_centre = _nearest_centre(sample, centres)
        belongs = (own_centre == np.arange(len(centres))[:, None]).astype(np.float32)
        sizes = belongs.sum(axis=1, keepdims=True)
        centres = np.where(sizes > 0, belongs @ sample / np.maximum(sizes, 1), centres)
    nearest_centre = _nearest_centre(own, centres)
    return [np.flatnonzero(nearest_centre == i) for i in range(len(centres))]


def _nearest_centre(points: Points, centres: Points) -> npt.NDArray[np.int64]:
    found: npt.NDArray[np.int64] = np.argmin((centres**2).sum(axis=1) - 2 * points @ centres.T, axis=1)
    return found
