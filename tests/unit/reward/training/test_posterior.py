from itertools import pairwise

import numpy as np
import pytest
from scipy.special import expit

from services.reward.training.features import Caps, Features
from services.reward.training.head import fit
from services.reward.training.posterior import familiarity, laplace, vectors

SIZE = 5
CAPS = Caps(cuts=(4, 8), response_tokens=16)


def planted(count: int, seed: int = 0) -> np.ndarray:
    draws = np.random.default_rng(seed)
    differences = draws.normal(size=(count, SIZE)) * np.arange(1, SIZE + 1)
    wins = draws.random(count) < expit(differences @ np.ones(SIZE) / 4)
    return np.where(wins[:, None], differences, -differences)


def test_without_a_penalty_it_is_the_covariance_of_logistic_regression() -> None:
    """That is the inverse Fisher information, (Zᵀ·diag(p·(1-p))·Z)⁻¹, as statsmodels' `cov_params` gives it."""
    differences = planted(400)
    weight = fit(differences, 1e-9)
    posterior = laplace(differences, 0.0, weight, len(differences), np.zeros(SIZE))
    chances = expit(differences @ weight)
    information = differences.T @ (differences * (chances * (1 - chances))[:, None])
    np.testing.assert_allclose(posterior.covariance, np.linalg.inv(information), rtol=1e-9)


def test_it_is_the_curvature_of_what_fit_minimises() -> None:
    """By finite differences of n times the objective of `fit`, weights of pairs and penalty included."""
    differences, l2, counts = planted(60), 0.3, np.linspace(0.2, 2, 60)
    weight, size = fit(differences, l2, counts), float(counts.sum())
    shares = counts / size
    scale = np.sqrt(shares @ np.square(differences))

    def objective(at: np.ndarray) -> float:
        penalty = l2 / 2 * float(np.square(at * scale).sum())
        return size * (float(shares @ np.logaddexp(0, -(differences @ at))) + penalty)

    step = 1e-4
    axes = np.eye(SIZE) * step
    hessian = [
        [(objective(weight + a + b) - objective(weight + a - b) - objective(weight - a + b) + objective(weight - a - b))
         / (4 * step**2) for b in axes]
        for a in axes
    ]  # fmt: skip
    posterior = laplace(differences, l2, weight, size, np.zeros(SIZE), counts)
    np.testing.assert_allclose(np.linalg.inv(posterior.covariance), hessian, rtol=1e-3, atol=1e-2)


def test_more_pairs_make_it_surer() -> None:
    at = np.ones(SIZE)
    deviations = []
    for count in (50, 400, 3200):
        differences = planted(count)
        weight = fit(differences, 0.01)
        deviations.append(float(laplace(differences, 0.01, weight, count, np.zeros(SIZE)).deviations(at)))
    # Eight times the pairs: the deviation shrinks by their root, 2.8, or nearly so under a penalty.
    assert all(1.8 < fewer / more < 4 for fewer, more in pairwise(deviations))


def test_a_direction_never_seen_has_the_deviation_of_the_penalty_alone() -> None:
    """1/√(n·l2) in the penalty's units."""
    differences, l2 = planted(100), 0.2
    unseen = np.ones(SIZE) / np.sqrt(SIZE)
    differences -= np.outer(differences @ unseen, unseen)
    posterior = laplace(differences, l2, fit(differences, l2), 100, np.zeros(SIZE))
    hidden = np.zeros((100, SIZE))
    hidden[:, 0] = 1
    lone = laplace(hidden, l2, np.zeros(SIZE), 100, np.zeros(SIZE))
    offset = np.eye(SIZE)[1] * lone.scale
    assert float(lone.deviations(offset)) == pytest.approx(1 / np.sqrt(100 * l2))
    assert float(posterior.deviations(unseen)) > 2 * float(posterior.deviations(differences[0] / 10))


def features(pairs: int, tokens: int, seed: int) -> Features:
    draws = np.random.default_rng(seed)
    means = draws.normal(size=(pairs, 2, 3, SIZE)).astype(np.float32)
    return Features(means, np.full((pairs, 2), tokens, dtype=np.int64))


def test_a_response_that_no_cut_shortens_counts_once() -> None:
    given = features(3, 6, 0)
    found, tokens = vectors(given, CAPS)
    # Cut to 4 tokens and whole, but not cut to 8.
    assert sorted(tokens.tolist()) == [4] * 6 + [6] * 6
    np.testing.assert_allclose(found[0], given.means[0, 0, 0])
    assert vectors(features(3, 99, 0), CAPS)[1].max() == CAPS.response_tokens


def test_about_one_in_a_hundred_held_out_responses_is_beyond_the_limits() -> None:
    known = familiarity(features(1000, 99, 0), features(1000, 99, 1), CAPS)
    fresh, tokens = vectors(features(3000, 99, 2), CAPS)
    whole = tokens == CAPS.response_tokens
    flagged = (known.excess(fresh, tokens) > 1)[whole]
    assert 0.003 < flagged.mean() < 0.02
    far = known.excess(fresh + 9, tokens)
    assert (far[whole] > 1).all()
