"""What is written beside a head's weights: how sure it is of them, and what its training responses look like."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from services.reward.familiarity import Array, Familiarity
from services.reward.posterior import Posterior
from services.reward.training.features import Caps, Features
from services.reward.training.head import Vector, shares_and_scale

COMPONENTS = 64
KNOWN_SHARE = 0.99
"""Of held-out responses at any length, about so many are within both limits."""

_GROUPS = 12
_FLAT = 1e-9


def laplace(
    differences: Vector, l2: float, weight: Vector, size: float, mean: Array, weights: Vector | None = None
) -> Posterior:
    """The posterior of a `weight` [hidden] that `fit` found for `differences` [n, hidden] with `l2` and `weights` [n].

    `size` is how many independent pairs those stand for, by which the mean loss counts: cut copies of a pair are no
    pairs of their own. `mean` [hidden] is the reference of deviations.
    """
    shares, scale = shares_and_scale(differences, weights)
    chances = expit(differences @ weight)
    scaled = differences / scale
    information = (scaled * (shares * chances * (1 - chances))[:, None]).T @ scaled
    hessian = size * (l2 * np.eye(len(scale)) + information)
    return Posterior(mean, scale, np.linalg.cholesky(hessian))


def vectors(features: Features, caps: Caps) -> tuple[Vector, NDArray[np.int64]]:
    """Every different feature vector [m, hidden] of the responses, and over how many tokens [m] each is a mean.

    A response that is no longer than a cut counts whole only.
    """
    cuts = np.array([*caps.cuts, caps.response_tokens])
    tokens = np.minimum(features.tokens[:, :, None], cuts)
    whole = np.arange(len(cuts)) == len(cuts) - 1
    different = whole | (features.tokens[:, :, None] > cuts)
    return features.means[different].astype(np.float64), tokens[different]


def familiarity(training: Features, held_out: Features, caps: Caps) -> Familiarity:
    """The PCA of the training responses, whole and cut, and limits that held-out ones keep to `KNOWN_SHARE`."""
    known, _ = vectors(training, caps)
    mean = known.mean(axis=0)
    variances, basis = np.linalg.eigh(np.cov(known - mean, rowvar=False))
    kept = min(COMPONENTS, int((variances > _FLAT * variances[-1]).sum()))
    found = Familiarity(mean, basis[:, ::-1][:, :kept], variances[::-1][:kept], np.ones(1), np.ones((1, 2)))
    others, tokens = vectors(held_out, caps)
    lengths, limits = _limits(found.distances(others), tokens)
    return Familiarity(found.mean, found.basis, found.variances, lengths, limits)


def _limits(distances: Array, tokens: NDArray[np.int64]) -> tuple[Vector, Vector]:
    """Lengths [m] and what nearly all distances [n, 2] of responses of about that length stay below, [m, 2].

    Each of two limits is exceeded by half of what both may leave out.
    """
    order = np.argsort(tokens, kind="stable")
    groups = [group for group in np.array_split(order, min(_GROUPS, len(order))) if len(group)]
    by_length: dict[float, list[NDArray[np.int64]]] = {}
    for group in groups:
        by_length.setdefault(float(np.median(tokens[group])), []).append(group)
    quantile = (1 + KNOWN_SHARE) / 2
    limits = [np.quantile(distances[np.concatenate(same)], quantile, axis=0) for same in by_length.values()]
    return np.array(list(by_length)), np.stack(limits)
