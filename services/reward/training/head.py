"""The head: a linear score fitted to pairs of feature vectors under the Bradley–Terry model."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import load_file, save
from scipy.optimize import minimize
from scipy.special import expit

from services.reward.familiarity import Familiarity
from services.reward.posterior import Posterior
from shared.errors import Internal, InvalidRequest

Vector = NDArray[np.float64]

_MAX_ITERATIONS = 5000
_FLAT = 1e-6
_SMALLEST_SCALE = 1e-8


@dataclass(frozen=True)
class Head:
    """The score of features h is `weight`·h + `bias`, in Bradley–Terry logits; `weight` [hidden].

    `posterior` and `familiarity` say how sure it is of a score, and of what it has seen the like; None where unknown.
    """

    weight: Vector
    bias: float
    posterior: Posterior | None = None
    familiarity: Familiarity | None = None

    def scores(self, means: NDArray[Any]) -> Vector:
        """The scores [...] of features [..., hidden]."""
        scores: Vector = means.astype(np.float64) @ self.weight + self.bias
        return scores


def loss(weight: Vector, differences: Vector) -> float:
    """Mean of -log P(chosen is preferred), P the sigmoid of `weight`·(chosen - rejected); `differences` [n, hidden]."""
    return float(np.mean(np.logaddexp(0.0, -(differences @ weight))))


def fit(differences: Vector, l2: float, weights: Vector | None = None) -> Vector:
    """The weight [hidden] that minimises loss + l2/2·Σ(weight·scale)², scale the root mean square of each difference.

    `weights` [n] say how much each pair counts, in proportion; None: all alike. Penalised at their own scale, features
    may be measured in any unit: margins stay as they are. For l2 > 0 the minimum is unique (Bradley and Terry 1952;
    L-BFGS, Byrd et al. 1995).

    Raises:
        InvalidRequest: no differences, or l2 not above 0.
        Internal: features that are not finite, or no convergence.
    """
    counts = np.ones(len(differences)) if weights is None else weights
    if counts.sum() <= 0 or l2 <= 0:
        raise InvalidRequest("a fit needs at least one pair that counts, and l2 above 0")
    if not np.isfinite(differences).all():
        raise Internal("the features hold numbers that are not finite")
    shares, scale = shares_and_scale(differences, counts)
    scaled = differences / scale

    def objective(weight: Vector) -> tuple[float, Vector]:
        margins = scaled @ weight
        value = shares @ np.logaddexp(0.0, -margins) + l2 / 2 * weight @ weight
        return float(value), l2 * weight - (shares * expit(-margins)) @ scaled

    options = {"maxiter": _MAX_ITERATIONS, "maxfun": 2 * _MAX_ITERATIONS, "ftol": 1e-14, "gtol": 1e-8}
    result = minimize(objective, np.zeros(scaled.shape[1]), jac=True, method="L-BFGS-B", options=options)
    # A line search that finds nothing lower is no failure where the slope is as flat as floats can resolve.
    if not result.success and np.abs(result.jac).max() > _FLAT:
        raise Internal(f"the fit did not converge: {result.message}")
    weight: Vector = result.x / scale
    return weight


def shares_and_scale(differences: Vector, weights: Vector | None = None) -> tuple[Vector, Vector]:
    """Of `differences` [n, hidden] the share [n] that each has in the loss, and the scale [hidden] of the penalty."""
    counts = np.ones(len(differences)) if weights is None else weights
    shares: Vector = counts / counts.sum()
    scale: Vector = np.maximum(np.sqrt(shares @ np.square(differences)), _SMALLEST_SCALE)
    return shares, scale


def write_head(file: Path, head: Head, about: Mapping[str, Any]) -> None:
    """A safetensors file in float32: w[hidden], bias[1], and what `Posterior` and `Familiarity` write; `about` as JSON
    in its metadata. Equal heads give equal bytes."""
    tensors = {"w": head.weight.astype(np.float32), "bias": np.array([head.bias], dtype=np.float32)}
    for part in (head.posterior, head.familiarity):
        tensors |= part.tensors() if part else {}
    file.write_bytes(save(tensors, metadata={"darwin": json.dumps(about, sort_keys=True)}))


def read_head(file: Path) -> Head:
    """What `write_head` wrote."""
    tensors = load_file(file)
    posterior, familiarity = Posterior.read(tensors), Familiarity.read(tensors)
    return Head(tensors["w"].astype(np.float64), float(tensors["bias"][0]), posterior, familiarity)


def read_about(file: Path) -> dict[str, Any]:
    """What was written about a head; empty where nothing was."""
    with safe_open(file, "numpy") as opened:
        about: dict[str, Any] = json.loads((opened.metadata() or {}).get("darwin", "{}"))
    return about
