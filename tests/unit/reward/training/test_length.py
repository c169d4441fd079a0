import numpy as np
import pytest

from services.reward.length import LengthCurve
from services.reward.training.length import FEWEST, fit_curve
from shared.errors import InvalidRequest


def test_what_is_left_goes_with_quality_and_not_with_length() -> None:
    """Known answer: rewards of quality and length correlate with quality by 0.7 before and 0.99 after."""
    draws = np.random.default_rng(0)
    characters = np.exp(draws.normal(5.5, 1, 2000)).astype(int) + 1
    quality = draws.normal(size=2000)
    rewards = quality + np.log1p(characters) * 1.05
    before = [np.corrcoef(rewards, with_)[0, 1] for with_ in (np.log1p(characters), quality)]
    assert before[0] > 0.65
    assert before[1] < 0.75
    knots, means = fit_curve(characters.tolist(), rewards.tolist())
    curve = LengthCurve(components="", characters=tuple(knots), rewards=tuple(means))
    left = rewards - [curve.predicted("x" * number) for number in characters]
    assert abs(np.corrcoef(left, np.log1p(characters))[0, 1]) < 0.03
    assert np.corrcoef(left, quality)[0, 1] > 0.99


def test_a_bend_is_followed() -> None:
    characters = np.geomspace(10, 3000, 600).astype(int)
    rewards = np.abs(np.log1p(characters) - 5)
    knots, means = fit_curve(characters.tolist(), rewards.tolist())
    assert means.argmin() not in (0, len(means) - 1)
    assert np.abs(np.interp(np.log1p(characters), np.log1p(knots), means) - rewards).mean() < 0.2


def test_too_little_is_refused() -> None:
    with pytest.raises(InvalidRequest, match=f"at least {FEWEST}"):
        fit_curve([1, 2], [0.0, 1.0])
    with pytest.raises(InvalidRequest, match="several lengths"):
        fit_curve([7] * FEWEST, [0.0] * FEWEST)


def test_two_lengths_alone_make_a_line() -> None:
    knots, means = fit_curve([10, 20] * FEWEST, [1.0, 2.0] * FEWEST)
    assert (means[0], means[-1]) == (pytest.approx(1), pytest.approx(2))
    assert np.isfinite(means).all()
    assert knots.tolist() == sorted(set(knots.tolist()))
