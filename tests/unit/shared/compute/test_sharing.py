"""The greedy split against a known answer, all splits there are, and its own price."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.compute.expected_gain import Spread, expected_improvement
from shared.compute.sharing import Step, greedy_split


def maximum(sd: float, count: int) -> float:
    return expected_improvement(Spread(0.0, sd), count, -9.0) - 9


def samples(sd: float, most: int) -> list[Step]:
    """What each sample after the first adds to the expected maximum."""
    return [Step(maximum(sd, count + 1) - maximum(sd, count), 1) for count in range(1, most)]


def test_ten_samples_over_a_wide_and_a_narrow_spread() -> None:
    counts, price = greedy_split([samples(1.0, 10), samples(0.3, 10)], 10 - 2)
    taken = [1 + count for count in counts]
    assert taken == [7, 3]
    assert maximum(1.0, 7) + maximum(0.3, 3) == pytest.approx(1.606, abs=1e-3)
    assert maximum(1.0, 5) + maximum(0.3, 5) == pytest.approx(1.512, abs=1e-3)
    # Whoever goes on while a step is worth the price ends where the split does.
    for offered, count in zip((samples(1.0, 10), samples(0.3, 10)), counts, strict=True):
        assert sum(step.rate >= price for step in offered) == count


def test_a_budget_for_all_has_no_price_and_one_for_none_has_one_that_nobody_pays() -> None:
    offers = [[Step(2.0, 1), Step(1.0, 1)], [], [Step(3.0, 2)]]
    assert greedy_split(offers, 4) == ((2, 0, 1), 0.0)
    counts, price = greedy_split(offers, -5)
    assert counts == (0, 0, 0)
    assert price > 2.0
    assert greedy_split([], 1) == ((), 0.0)


gains = st.lists(st.integers(0, 20), max_size=4).map(lambda each: sorted(each, reverse=True))


@given(st.lists(gains, min_size=1, max_size=3), st.integers(0, 8))
def test_no_split_of_steps_of_one_cost_gains_more(lines: list[list[int]], budget: int) -> None:
    counts, _ = greedy_split([[Step(gain, 1) for gain in line] for line in lines], budget)
    assert sum(counts) == min(budget, sum(map(len, lines)))
    best = max(
        sum(sum(line[:count]) for line, count in zip(lines, split, strict=True))
        for split in product(*(range(len(line) + 1) for line in lines))
        if sum(split) <= budget
    )
    assert sum(sum(line[:count]) for line, count in zip(lines, counts, strict=True)) == best
