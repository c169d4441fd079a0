import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.evaluation.report.statistics import Bootstrap, intercept, spearman

RANDOM = np.random.default_rng(1)
NOISE = RANDOM.normal(size=200)
BOOTSTRAP = Bootstrap(resamples=2000)


def test_a_planted_difference_is_found() -> None:
    found = BOOTSTRAP.mean(NOISE - NOISE.mean() + 0.4)
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0.4 < found.high
    assert found.excludes_zero


def test_none_is_found_where_there_is_none() -> None:
    found = BOOTSTRAP.mean(NOISE - NOISE.mean())
    assert found is not None
    assert not found.excludes_zero


def test_unknown_values_are_left_out() -> None:
    found = BOOTSTRAP.mean(np.array([1.0, np.nan, 1.0, 1.0]))
    assert found is not None
    assert (found.value, found.questions) == (1.0, 3)
    assert BOOTSTRAP.mean(np.array([np.nan])) is None


def test_two_questions_give_no_interval() -> None:
    found = BOOTSTRAP.mean(np.array([1.0, 3.0]))
    assert found is not None
    assert (found.value, found.low, found.excludes_zero) == (2.0, None, False)


def test_what_length_explains_is_taken_away() -> None:
    lengths = RANDOM.normal(0.5, 1, 200)
    scaled = np.tanh(lengths / lengths.std())
    pure = BOOTSTRAP.at_equal_length(2 * scaled + 0.1 * NOISE, lengths)
    assert pure is not None
    assert abs(pure.value) < 0.05
    both = BOOTSTRAP.at_equal_length(2 * scaled + 0.1 * NOISE + 0.7, lengths)
    assert both is not None
    assert both.value == pytest.approx(0.7, abs=0.05)
    assert both.excludes_zero


def test_equal_lengths_explain_nothing() -> None:
    assert intercept(np.array([1.0, 2.0, 3.0]), np.zeros(3)) == pytest.approx(2.0)


@given(seed=st.integers(0, 100))
def test_the_same_seed_gives_the_same_interval(seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=20)
    assert Bootstrap(200, seed).mean(values) == Bootstrap(200, seed).mean(values)


def test_rank_correlation() -> None:
    assert spearman(np.array([1.0, 2, 3, np.nan]), np.array([10.0, 20, 90, 1])) == pytest.approx(1)
    assert spearman(np.array([1.0, 2, 3]), np.ones(3)) is None
    assert spearman(np.array([1.0, 2]), np.array([1.0, 2])) is None
