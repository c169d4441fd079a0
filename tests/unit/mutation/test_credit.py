"""What posteriors of gains are, and what is drawn from them."""

from random import Random
from statistics import fmean, pstdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.mutation.credit import draw, posterior, posterior_of_group
from shared.records.credit import Credit, Earned

MEANS = st.floats(-5, 5)
EARNED = st.builds(Earned, MEANS, st.floats(0.01, 500))
NAMES = ("a", "b", "c")
CREDIT = st.builds(Credit, st.dictionaries(st.sampled_from((*NAMES, "other")), EARNED), st.floats(0.01, 10))


def test_known_posteriors() -> None:
    credit = Credit({"a": Earned(2.0, 3.0), "b": Earned(-1.0, 1.0), "other": Earned(0.0, 4.0)}, 1.0)
    # Of all gains the mean is (6 - 1 + 0) / 8; of the group (5 + 0.625) / 5, and of "a" (6 + 1.125) / 4.
    assert posterior_of_group(credit, NAMES) == Earned(pytest.approx(1.125), 5.0)
    assert posterior(credit, "a", NAMES) == Earned(pytest.approx(1.78125), 4.0)
    assert posterior(credit, "c", NAMES) == Earned(pytest.approx(1.125), 1.0)


@given(credit=CREDIT)
def test_a_posterior_lies_between_what_was_seen_and_its_prior(credit: Credit) -> None:
    group = posterior_of_group(credit, NAMES).mean
    for name in NAMES:
        found, seen = posterior(credit, name, NAMES), credit.earned.get(name, Earned(group, 0.0))
        low, high = sorted((group, seen.mean))
        assert low - 1e-9 <= found.mean <= high + 1e-9
        assert found.weight == pytest.approx(seen.weight + 1)


@given(credit=CREDIT, shift=MEANS, seed=st.integers(0, 100))
def test_draws_are_the_seeds_and_move_with_the_gains(credit: Credit, shift: float, seed: int) -> None:
    """What all gains have in common decides nothing."""
    moved = {name: Earned(each.mean + shift, each.weight) for name, each in credit.earned.items()}
    first = draw(credit, "a", NAMES, Random(seed))
    assert first == draw(credit, "a", NAMES, Random(seed))
    expected = first + shift if credit.earned else first
    assert draw(Credit(moved, credit.noise), "a", NAMES, Random(seed)) == pytest.approx(expected, abs=1e-6)


def test_draws_spread_as_the_posterior_does() -> None:
    credit, rng = Credit({"a": Earned(1.0, 8.0)}, 0.6), Random(1)
    drawn = [draw(credit, "a", NAMES, rng) for _ in range(4000)]
    assert abs(fmean(drawn) - 1.0) < 0.02
    assert abs(pstdev(drawn) - 0.2) < 0.02
