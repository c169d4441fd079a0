"""How sure a head is of a response: the standard deviation of its score under the Laplace approximation.

The head was fitted to differences between responses, so it knows the directions in which those differ and nothing of
others. Its weights' covariance is the inverse of the Hessian H of its loss (MacKay 1992; of reward models: Yang et al.
2024, https://arxiv.org/abs/2402.13210). A response whose features, less those of the mean training response, lie where
the head has seen little has a large deviation; directions that all responses share cancel. The reference is the same
for every response of every round, so that scores stay comparable while a search goes on, and may be remembered.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Posterior:
    """The Hessian of a head's loss, in features that are divided by `scale` [hidden].

    `hessian_factor` [hidden, hidden] is lower triangular, L with H = L·Lᵀ; `mean` [hidden] is the reference.
    """

    mean: Array
    scale: Array
    hessian_factor: Array

    @classmethod
    def read(cls, tensors: Mapping[str, Any]) -> Self | None:
        """That of a head's file; None where it has none."""
        names = ("mean", "scale", "hessian_factor")
        return cls(*(np.asarray(tensors[name]) for name in names)) if set(names) <= tensors.keys() else None

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """What is written into a head's file."""
        parts = {"mean": self.mean, "scale": self.scale, "hessian_factor": self.hessian_factor}
        return {name: np.ascontiguousarray(part, dtype=np.float32) for name, part in parts.items()}

    def deviations(self, features: Array) -> Array:
        """Standard deviations [...] of the scores of features [..., hidden], relative to the reference's score."""
        whitened: Array = (features - self.mean) @ self._whitening
        deviations: Array = np.sqrt(np.square(whitened).sum(axis=-1))
        return deviations

    @cached_property
    def covariance(self) -> Array:
        """Of the head's weights [hidden, hidden]."""
        covariance: Array = self._whitening @ self._whitening.T
        return covariance

    @cached_property
    def _whitening(self) -> Array:
        """W [hidden, hidden] with W·Wᵀ the covariance of the weights: diag(1/scale)·L⁻ᵀ."""
        inverse = np.linalg.solve(self.hessian_factor.astype(np.float64), np.diag(1 / self.scale.astype(np.float64)))
        whitening: Array = inverse.T
        return whitening
