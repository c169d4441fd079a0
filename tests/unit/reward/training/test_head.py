from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.reward.training.head import Head, fit, loss, read_head, write_head
from shared.errors import Internal, InvalidRequest

SIZE = 12


def planted(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Differences that a direction prefers as Bradley and Terry say, and the direction."""
    draws = np.random.default_rng(seed)
    direction = draws.normal(size=SIZE)
    differences = draws.normal(size=(count, SIZE))
    wins = draws.random(count) < 1 / (1 + np.exp(-(differences @ direction)))
    return np.where(wins[:, None], differences, -differences), direction


def test_recovers_a_planted_direction() -> None:
    differences, direction = planted(20_000)
    weight = fit(differences, 1e-6)
    np.testing.assert_allclose(weight, direction, atol=0.1)


def test_a_stronger_penalty_gives_a_smaller_weight() -> None:
    differences, _ = planted(500)
    norms = [np.linalg.norm(fit(differences, l2)) for l2 in (1e-4, 1e-2, 1.0, 100.0)]
    assert norms == sorted(norms, reverse=True)


@given(st.integers(0, 10_000), st.floats(1e-4, 10))
@example(156, 6.2748288723636785)  # ends in a line search that finds nothing lower
@settings(max_examples=10, deadline=None)
def test_no_weight_nearby_is_better(seed: int, l2: float) -> None:
    differences, _ = planted(60, seed)
    scale = np.sqrt(np.square(differences).mean(axis=0))

    def objective(weight: np.ndarray) -> float:
        return loss(weight, differences) + l2 / 2 * float(np.square(weight * scale).sum())

    weight = fit(differences, l2)
    best = objective(weight)
    assert best <= objective(np.zeros(SIZE))
    for step in np.random.default_rng(seed).normal(scale=0.01, size=(20, SIZE)):
        assert best <= objective(weight + step) + 1e-9


@given(st.lists(st.floats(1e-3, 1e3), min_size=SIZE, max_size=SIZE))
@settings(max_examples=10, deadline=None)
def test_the_unit_of_a_feature_does_not_matter(units: list[float]) -> None:
    differences, _ = planted(200)
    weight, rescaled = fit(differences, 0.1), fit(differences * units, 0.1)
    np.testing.assert_allclose(rescaled * units, weight, atol=1e-4)


def test_twice_every_pair_changes_nothing() -> None:
    differences, _ = planted(300)
    np.testing.assert_allclose(fit(np.tile(differences, (2, 1)), 0.1), fit(differences, 0.1), atol=1e-5)


def test_a_weight_counts_like_copies() -> None:
    differences, _ = planted(300)
    counts = np.arange(300) % 3
    np.testing.assert_allclose(
        fit(differences, 0.1, counts.astype(float)), fit(np.repeat(differences, counts, axis=0), 0.1), atol=1e-5
    )


def test_a_feature_that_never_differs_weighs_nothing() -> None:
    differences, _ = planted(300)
    differences[:, 3] = 0
    assert fit(differences, 0.1)[3] == 0


def test_what_cannot_be_fitted_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="at least one pair"):
        fit(np.zeros((0, SIZE)), 1.0)
    with pytest.raises(InvalidRequest, match="l2 above 0"):
        fit(np.ones((3, SIZE)), 0.0)
    with pytest.raises(Internal, match="not finite"):
        fit(np.full((3, SIZE), np.nan), 1.0)


def test_a_head_survives_its_file_and_equal_heads_have_equal_bytes(tmp_path: Path) -> None:
    head = Head(np.linspace(-1, 1, SIZE), 0.25)
    for name in ("a", "b"):
        write_head(tmp_path / name, head, {"b": 1, "a": 2})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    read = read_head(tmp_path / "a")
    np.testing.assert_allclose(read.weight, head.weight, atol=1e-7)
    assert read.bias == 0.25
    assert read.scores(np.ones((2, 3, SIZE))).shape == (2, 3)
