"""Known answers of win rates (WIND's fixed point)."""

import math

import numpy as np
import pytest

from services.reward.pairwise.win_rate import equilibrium, win_rates
from services.reward.specs import LEAST_BETA, MOST_BETA
from services.reward.weighted import Component
from tests.unit.reward.test_pairwise import QUESTION, PairJudge, beats, candidates, rewarder


def test_win_rates_are_the_known_ones() -> None:
    share = equilibrium(np.array([[0.5, 0.8], [0.2, 0.5]]), 0.2)
    assert share[0] / share[1] == pytest.approx(math.exp(0.3 / 0.2), rel=1e-12)
    circle = np.array([[0.5, 1.0, 0.0], [0.0, 0.5, 1.0], [1.0, 0.0, 0.5]])
    for beta in (LEAST_BETA, 0.3, 10.0):
        assert equilibrium(circle, beta) == pytest.approx([1 / 3] * 3, abs=1e-12)
    assert win_rates([7.0], 0.2) == [0.5]


@pytest.mark.parametrize("beta", [LEAST_BETA, 0.2, 3.0, MOST_BETA])
def test_the_fixed_point_is_one(beta: float) -> None:
    draws = np.random.default_rng(3)
    for count in (2, 9):
        above = np.triu(draws.random((count, count)), 1)
        preferences = above + np.tril(1 - above.T, -1) + np.eye(count) / 2
        share = equilibrium(preferences, beta)
        weights = np.exp(preferences @ share / beta)
        assert np.abs(share - weights / weights.sum()).max() < 1e-11
    rewards = list(draws.normal(size=6))
    assert win_rates(rewards, beta) == pytest.approx(win_rates([each + 5 for each in rewards], beta), abs=1e-11)
    assert np.argsort(win_rates(rewards, beta)).tolist() == np.argsort(rewards).tolist()


async def test_a_win_rate_does_not_change_with_what_all_have_more() -> None:
    subject = await rewarder(PairJudge(beats()), Component("rate", 1.0, "simulated", beta=0.2, relative=True))
    first = await subject.score(QUESTION.messages, candidates("1", "2", "4"), together=True)
    other = await subject.score(QUESTION.messages, candidates("101", "102", "104"), together=True)
    rates = [[each.parts[1].value for each in found.scores] for found in (first, other)]
    assert rates[0] == pytest.approx(rates[1], abs=1e-12)
    assert sorted(rates[0]) == rates[0]
    assert 0 < rates[0][0] < rates[0][2] < 1
    await subject.stop()
