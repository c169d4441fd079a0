"""The sequential test of a canary: its formula, its errors under equal versions, and what it finds."""

import math
import random

import pytest

from shared.records.evidence import Evidence

LEVEL = 0.05


def judged(seed: int, means: tuple[float, float], share: float, outcomes: int) -> Evidence:
    """What there is to see after so many outcomes of 0 or 1, or at the verdict, with a look after each."""
    draw, found = random.Random(seed), Evidence()
    for _ in range(outcomes):
        canary = draw.random() < share
        outcome = float(draw.random() < means[canary])
        found = found.with_outcome(outcome, canary=canary, share=share, level=LEVEL)
        if found.verdict:
            break
    return found


def test_the_interval_is_that_of_the_theorem() -> None:
    """Waudby-Smith and Ramdas (2021), equations 14 to 16, written as sums over all outcomes."""
    outcomes = [(1.0, True), (0.25, False), (0.0, False), (0.75, True), (1.0, True), (0.5, False)]
    share, rarer = 0.3, 0.3
    found, values, seen = Evidence(), list[float](), list[float]()
    for outcome, canary in outcomes:
        found = found.with_outcome(outcome, canary=canary, share=share, level=LEVEL)
        centred = outcome - (0.5 + sum(seen)) / (len(seen) + 1)
        values.append((1 + rarer * (centred / share if canary else -centred / (1 - share))) / 2)
        seen.append(outcome)
    means = [(0.5 + sum(values[:t])) / (t + 1) for t in range(len(values) + 1)]
    spreads = [
        (0.25 + sum((values[i] - means[i + 1]) ** 2 for i in range(t))) / (t + 1) for t in range(len(values) + 1)
    ]
    bets = [
        min(0.5, math.sqrt(2 * math.log(2 / LEVEL) / (spreads[t - 1] * t * math.log(1 + t))))
        for t in range(1, len(values) + 1)
    ]
    penalties = [
        4 * (value - mean) ** 2 * (-math.log(1 - bet) - bet) / 4
        for value, mean, bet in zip(values, means[:-1], bets, strict=True)
    ]
    centre = sum(bet * value for bet, value in zip(bets, values, strict=True)) / sum(bets)
    radius = (math.log(2 / LEVEL) + sum(penalties)) / sum(bets)
    assert found.bets == pytest.approx(sum(bets))
    assert found.penalty == pytest.approx(sum(penalties))
    # So few say nothing: the sequence is wider than what a difference can be.
    assert (2 * (centre - radius) - 1) / rarer < -1
    assert (found.lower, found.upper) == (-1.0, 1.0)
    assert found.counts == (3, 3)
    assert found.difference == pytest.approx(2.75 / 3 - 0.25)


def test_equal_versions_are_seldom_found_to_differ_over_all_looks() -> None:
    """At most one in twenty may be; the fixed seed has 60 canaries looked at 600 times each."""
    alarms = sum(bool(judged(seed, (0.6, 0.6), 0.5, 600).verdict) for seed in range(60))
    assert alarms <= 0.05 * 60


@pytest.mark.parametrize(("means", "verdict"), [((0.5, 0.6), "better"), ((0.6, 0.5), "worse")])
def test_a_difference_of_a_tenth_is_found(means: tuple[float, float], verdict: str) -> None:
    for seed in range(3):
        found = judged(seed, means, 0.5, 6_000)
        assert found.verdict == verdict
        assert found.lower <= means[1] - means[0] <= found.upper


def test_the_sequence_holds_the_difference_at_every_look() -> None:
    for seed in range(10):
        found = judged(seed, (0.3, 0.3), 0.2, 500)
        assert found.lower <= 0 <= found.upper


def test_an_outcome_lies_between_nought_and_one() -> None:
    with pytest.raises(ValueError, match="lies in"):
        Evidence().with_outcome(1.5, canary=True, share=0.5, level=LEVEL)
