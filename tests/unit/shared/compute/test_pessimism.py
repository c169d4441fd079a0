"""Weights by which responses go on and answers are picked: known values, properties, and both limits."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.orchestrator.core import answers, selection
from services.orchestrator.core.responses import Response
from services.orchestrator.core.values import Config, Final
from shared.compute.pessimism import drawn, in_drawn_order, places, weights
from shared.picking.votes import drawn as drawn_answers
from shared.picking.votes import ranked
from shared.records.events import CycleFinished, CycleStarted, Replacement, RoundFinished
from shared.records.search import Search
from tests.unit.orchestrator.strategies import World, configs

REWARDS = (1.0, 0.9, 0.5, 0.0)
FEW = settings(max_examples=40)
some_rewards = st.lists(st.floats(-50, 50), min_size=1, max_size=6)
betas = st.floats(0.001, 50)
units = st.floats(0, 1, exclude_max=True)


@pytest.mark.parametrize(
    ("beta", "expected"),
    [(0.05, (0.75, 0.25, 0, 0)), (0.2, (0.5625, 0.4375, 0, 0)), (1, (0.35, 0.325, 0.225, 0.1)), (0, (1, 0, 0, 0))],
)
def test_known_weights(beta: float, expected: tuple[float, ...]) -> None:
    assert weights(REWARDS, beta) == pytest.approx(expected, abs=1e-12)


def by_bisection(rewards: list[float], beta: float) -> list[float]:
    low, high = min(rewards) - len(rewards) * beta, max(rewards)
    for _ in range(200):
        bar = (low + high) / 2
        lies_below = sum(max(0.0, reward - bar) for reward in rewards) > len(rewards) * beta
        low, high = (bar, high) if lies_below else (low, bar)
    return [max(0.0, reward - low) / (len(rewards) * beta) for reward in rewards]


@FEW
@given(some_rewards, betas)
def test_weights_are_those_of_the_defining_equation(rewards: list[float], beta: float) -> None:
    assert weights(rewards, beta) == pytest.approx(by_bisection(rewards, beta), abs=1e-8)


@FEW
@given(some_rewards, st.just(0.0) | betas, st.floats(-100, 100))
def test_weights_add_up_grow_with_rewards_and_ignore_a_shift(rewards: list[float], beta: float, shift: float) -> None:
    found = weights(rewards, beta)
    assert sum(found) == pytest.approx(1)
    assert min(found) >= 0
    in_order = sorted(zip(rewards, found, strict=True))
    assert all(less <= more for (low, less), (high, more) in pairwise(in_order) if low < high)
    if beta:
        shifted = weights([reward + shift for reward in rewards], beta)
        assert shifted == pytest.approx(found, abs=1e-12 / beta)


@FEW
@given(st.lists(st.integers(-9, 9), min_size=1, max_size=6, unique=True), st.lists(units, min_size=6, max_size=6))
def test_both_limits(distinct: list[int], drawn_units: list[float]) -> None:
    rewards = [float(reward) for reward in distinct]
    best, count = rewards.index(max(rewards)), len(rewards)
    for beta in (0.0, 1e-6):
        assert weights(rewards, beta) == tuple(float(index == best) for index in range(count))
        assert places(rewards, beta, drawn_units) == (best,) * count
    assert weights(rewards, 1e12) == pytest.approx([1 / count] * count)
    own = tuple(range(count))
    assert places(rewards, 1e12, [min(unit, 0.999) for unit in drawn_units]) == own
    assert places([0.25] * count, 0.5, [min(unit, 0.999) for unit in drawn_units]) == own


@FEW
@given(some_rewards, betas, st.lists(units, min_size=6, max_size=6))
def test_nobody_takes_a_response_that_is_worse(rewards: list[float], beta: float, drawn_units: list[float]) -> None:
    for state, place in enumerate(places(rewards, beta, drawn_units)):
        assert place == state or rewards[place] > rewards[state]


@pytest.mark.parametrize("beta", [0.05, 0.2, 1.0])
def test_each_response_is_met_as_often_as_its_weight_says_with_the_fewest_copies(beta: float) -> None:
    steps = 2000
    met, copies = Counter[int](), 0
    for step in range(steps):
        found = places(REWARDS, beta, [(step + 0.5) / steps] * len(REWARDS))
        met.update(found)
        copies += sum(place != state for state, place in enumerate(found))
    expected = weights(REWARDS, beta)
    for state, weight in enumerate(expected):
        assert met[state] / (steps * len(REWARDS)) == pytest.approx(weight, abs=0.002)
    assert copies / steps == pytest.approx(sum(max(0, 4 * weight - 1) for weight in expected), abs=0.004)


def test_a_draw_meets_each_index_as_often_as_its_weight_and_none_without() -> None:
    counts = Counter(drawn((0.0, 0.5, 0.0, 1.5, 0.0), step / 1000) for step in range(1000))
    assert counts == {1: 250, 3: 750}
    assert drawn((0.0, 0.0, 1.0, 0.0), 1 - 2**-53) == 2
    assert sorted(in_drawn_order("abcd", lambda _: 0.0, 1.0, lambda place: 0.6)) == list("abcd")


def outcome(event: object) -> object:
    """The event without the weights, which only one rule has."""
    return replace(event, weights=()) if isinstance(event, RoundFinished) else event


@FEW
@given(configs(), st.integers(0, 2**32))
def test_without_doubt_it_decides_as_truncation_with_one_survivor(config: Config, seed: int) -> None:
    one, other = World(seed, full_probability=0.1), World(seed, full_probability=0.1)
    last = one.run(replace(config, survivors=1))[-1]
    doubtless = other.run(replace(config, selection="pessimism", beta=0.0))[-1]
    assert [outcome(event) for event in other.events] == one.events
    assert doubtless.finals == last.finals


@FEW
@given(configs(replacing=True, budget=False), st.integers(0, 2**32))
def test_in_full_doubt_nobody_is_replaced(config: Config, seed: int) -> None:
    world = World(seed)
    world.run(replace(config, selection="pessimism", beta=1e15))
    for event in world.events:
        if isinstance(event, RoundFinished):
            assert (event.replacements, len(event.survivors)) == ((), config.mutants)
            assert event.weights == pytest.approx([1 / config.mutants] * config.mutants)


def test_who_is_no_contender_takes_a_response_by_the_weights_and_gives_none() -> None:
    population = selection.ScoredPopulation((9.0, 1.0, 0.9), contenders=(1, 2), replaceable=(0, 1, 2))
    for unit, donor in ((0.74, 1), (0.99, 2)):
        search = Search(selection="pessimism", beta=0.1)
        selected = selection.pessimism(population, search, lambda state, count, unit=unit: int(unit * count))  # type: ignore[misc]
        assert selected.weights == pytest.approx((0, 0.75, 0.25))
        assert Replacement(0, donor) in selected.replacements
        assert all(each.donor in (1, 2) for each in selected.replacements)


def final(number: int, reward: float | None, finish: str = "stop") -> Final:
    return Final(1, number, "Why?", Response((1,), f"text {number}", finish), reward, {})  # type: ignore[arg-type]


def test_answers_are_drawn_by_the_weights_of_their_rewards_without_putting_back() -> None:
    finals = [final(number, reward) for number, reward in enumerate(REWARDS)]
    counts = Counter(drawn_answers(finals, 0.2, seed)[0].state for seed in range(4000))
    assert counts.keys() == {0, 1}
    assert counts[0] / 4000 == pytest.approx(0.5625, abs=0.03)
    for seed in range(20):
        found = drawn_answers(finals, 0.2, seed)
        assert found == drawn_answers(finals, 0.2, seed)
        assert sorted(each.state for each in found) == [0, 1, 2, 3]
    assert drawn_answers(finals, 0.0, 7) == finals


def test_what_would_not_have_been_the_answer_is_not_drawn() -> None:
    finals = ranked([final(0, 0.1, "length"), final(1, 0.0), final(2, -0.1), final(3, None)], complete_first=True)
    for seed in range(50):
        found = [each.state for each in drawn_answers(finals, 100.0, seed, complete_first=True)]
        assert sorted(found[:2]) == [1, 2]
        assert found[2:] == [3, 0]


def test_an_answer_is_drawn_where_the_search_asks_for_it() -> None:
    config = Config(cycles=1, mutants=6, period=12, mutate=False, replace=False, max_tokens=12)
    world = World(4)
    last = world.run(config)[-1]
    assert [type(event) for event in world.events if isinstance(event, CycleStarted | CycleFinished)]
    best = answers.choices(last, 7)
    seen = set()
    for seed in range(40):
        doubted = replace(last, seed=seed, config=replace(config, final_beta=3.0))
        found = answers.choices(doubted, 7)
        assert sorted(map(repr, found)) == sorted(map(repr, best))
        seen.add(found[0].text)
    assert len(seen) > 2
