"""Whether a head has seen the like of a response: how far its features lie from those of the training responses.

A PCA of the training features splits what a response's features are beyond their mean into coordinates on the first
components, whose squared Mahalanobis distance is one measure (Lakkapragada et al. 2024,
https://arxiv.org/abs/2401.10176), and the rest, whose squared norm is the other
(https://arxiv.org/abs/2012.04250). Means over few tokens lie further out than means over many, so that the limits go
by length.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

FEWEST_TOKENS = 16
"""Of a response with fewer tokens nothing is said."""

_NAMES = ("mean", "basis", "variances", "lengths", "limits")


@dataclass(frozen=True)
class Familiarity:
    """The training features: `mean` [hidden], `basis` [hidden, k] of orthonormal components, and the `variances` [k] on
    them.

    `limits` [m, 2] bound Mahalanobis distance and rest at `lengths` [m], ascending numbers of tokens; between those
    they are interpolated over the logarithm.
    """

    mean: Array
    basis: Array
    variances: Array
    lengths: Array
    limits: Array

    @classmethod
    def read(cls, tensors: Mapping[str, Any]) -> Self | None:
        """That of a head's file; None where it has none."""
        return cls(*(np.asarray(tensors[name]) for name in _NAMES)) if set(_NAMES) <= tensors.keys() else None

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """What is written into a head's file."""
        return {name: np.ascontiguousarray(getattr(self, name), dtype=np.float32) for name in _NAMES}

    def distances(self, features: Array) -> Array:
        """[..., 2] of features [..., hidden]: squared Mahalanobis distance on the components, squared norm of the
        rest."""
        centred = features - self.mean
        coordinates = centred @ self.basis
        inside = (np.square(coordinates) / self.variances).sum(axis=-1)
        rest = np.square(centred - coordinates @ self.basis.T).sum(axis=-1)
        distances: Array = np.stack((inside, rest), axis=-1)
        return distances

    def excess(self, features: Array, tokens: NDArray[np.integer[Any]]) -> Array:
        """The larger of the two distances [n], as shares of their limits, of features [n, hidden] over so many `tokens`
        [n]: above 1 a response is out of distribution. 0 for fewer than `FEWEST_TOKENS`."""
        at, knots = np.log(np.maximum(tokens, 1)), np.log(self.lengths)
        limits = np.stack([np.interp(at, knots, column) for column in self.limits.T], axis=-1)
        found: Array = (self.distances(features) / limits).max(axis=-1) * (tokens >= FEWEST_TOKENS)
        return found
