"""The observations on the instructions nearest to one, as observations come and go."""

from collections.abc import Sequence

import numpy as np

from services.orchestrator.credit.neighbours import BRUTE, LEAVES, Cluster, Points, build, nearest, unpacked
from shared.records.credit import Observation

# A tree is built anew once so large a share of what it holds has changed.
_STALE = 0.05


class Memory:
    """Finds the nearest of one tenant's observations under one profile. It is told all of them each time, and keeps
    the tree over those of earlier; what has come since is compared one by one, and what is gone is not found. Beyond
    `brute` observations it looks into the `leaves` most promising clusters only."""

    def __init__(self, brute: int = BRUTE, leaves: int = LEAVES) -> None:
        self._brute = brute
        self._leaves = leaves
        self._ids: list[str] = []
        self._points: Points = np.empty((0, 0), np.float32)
        self._tree: Cluster | None = None

    def nearest(self, observations: Sequence[Observation], vector: str, count: int) -> list[Observation]:
        """The `count` observations whose instructions are nearest to `vector`, in the order in which they are given;
        all where there are no more. All are embedded, in one width."""
        if len(observations) <= count:
            return list(observations)
        place = {each.id: index for index, each in enumerate(observations)}
        (query,) = unpacked([vector])
        tree = self._tree_over(observations)
        held = set(self._ids)
        gone = sum(each not in place for each in self._ids)
        near = (self._ids[index] for index in nearest(self._points, tree, query, count + gone, self._leaves))
        found = [place[each] for each in near if each in place]
        new = [index for index, each in enumerate(observations) if each.id not in held]
        candidates = np.array(sorted({*found, *new}))
        scores = unpacked([observations[index].vector for index in candidates]) @ query
        best = candidates[np.argsort(-scores, kind="stable")[:count]]
        return [observations[index] for index in sorted(best)]

    def _tree_over(self, observations: Sequence[Observation]) -> Cluster:
        ids = [each.id for each in observations]
        changed = len(set(ids) ^ set(self._ids))
        (one,) = unpacked([observations[0].vector])
        if self._tree is None or changed > _STALE * len(ids) or len(one) != self._points.shape[1]:
            self._ids, self._points = ids, unpacked([each.vector for each in observations])
            self._tree = build(self._points, brute=self._brute)
        return self._tree
