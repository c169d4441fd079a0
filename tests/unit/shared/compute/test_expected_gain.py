"""Expected improvements against values known in closed form or from tables."""

import math
import random

import pytest

from shared.compute.expected_gain import (
    Spread,
    expected_excess,
    expected_gain,
    expected_improvement,
    hopeful_spread,
)

STANDARD = Spread(0.0, 1.0)


@pytest.mark.parametrize(("price", "reservation"), [(0.1, 0.9023), (0.05, 1.2556)])
def test_a_price_has_its_reservation_value_under_a_normal_distribution(price: float, reservation: float) -> None:
    assert expected_improvement(STANDARD, 1, reservation) == pytest.approx(price, abs=2e-5)
    assert expected_improvement(Spread(3.0, 2.0), 1, 3 + 2 * reservation) == pytest.approx(2 * price, abs=4e-5)


def test_a_price_has_its_reservation_value_under_a_uniform_distribution() -> None:
    assert expected_excess(lambda x: x, 1, 1 - math.sqrt(2 * 0.02), 1.0) == pytest.approx(0.02)
    assert expected_excess(lambda x: x, 3, 0.0, 1.0) == pytest.approx(0.75)
    assert expected_excess(lambda x: x, 3, 1.5, 1.0) == 0


@pytest.mark.parametrize(("count", "maximum"), [(1, 0.0), (2, 0.56419), (5, 1.16296), (10, 1.53875)])
def test_the_maximum_of_some_normal_samples(count: int, maximum: float) -> None:
    assert expected_improvement(STANDARD, count, -20.0) - 20 == pytest.approx(maximum, abs=1e-5)


def test_five_more_samples_after_their_own_expected_maximum() -> None:
    assert expected_improvement(STANDARD, 5, 1.163) == pytest.approx(0.2655, abs=5e-5)


def test_without_a_spread_the_mean_is_all_there_is() -> None:
    assert expected_improvement(Spread(1.0, 0.0), 5, 0.25) == 0.75
    assert expected_improvement(Spread(1.0, 0.0), 5, 2.0) == 0


def test_improvements_are_as_sampled() -> None:
    draw, spread = random.Random(1), Spread(0.3, 0.7)
    found = [max(0.0, max(draw.gauss(0.3, 0.7) for _ in range(4)) - 0.9) for _ in range(20_000)]
    assert expected_improvement(spread, 4, 0.9) == pytest.approx(sum(found) / len(found), abs=0.01)


def test_few_gains_are_taken_to_spread_wider() -> None:
    gains = [0.0, 1.0] * 50
    widths = [hopeful_spread(gains[:count]).sd for count in (2, 4, 10, 30, 100)]
    assert widths == sorted(widths, reverse=True)
    assert hopeful_spread([0.5] * 5).sd > 0
    assert hopeful_spread([0.0] * 5) == Spread(0.0, 0.0)
    assert hopeful_spread([10 * gain for gain in gains]).sd == pytest.approx(10 * hopeful_spread(gains).sd)
    with pytest.raises(ValueError, match="no gains"):
        hopeful_spread([])


def test_children_are_expected_at_their_parents() -> None:
    gains = [-0.2, 0.0, 0.1, 0.4]
    low, high = (expected_gain(gains, [parent], 1.0, 5) for parent in (0.0, 1.0))
    assert 0 < low < high
    assert expected_gain(gains, [0.0, 1.0], 1.0, 5) == pytest.approx((low + high) / 2)
    assert expected_gain(gains, [0.0], 1.0, 10) > low
