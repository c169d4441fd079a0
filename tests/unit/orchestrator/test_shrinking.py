"""A population that shrinks at its rounds."""

import random
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.orchestrator.core import answers
from services.orchestrator.core.presets import config_for
from services.orchestrator.core.responses import Response
from services.orchestrator.core.shrinking import dropped
from services.orchestrator.core.values import BASE, Config, State
from shared.methods import METHODS, Method
from shared.records.events import CycleFinished, RoundFinished
from shared.records.evolution import EvolutionRequest, Message, Sampling
from shared.records.search import Search
from tests.unit.orchestrator.strategies import INSTRUCTION, World, any_configs

METHODS_THAT_SEARCH: list[Method] = [name for name, traits in METHODS.items() if traits.searches]
BASE_TOKENS = 128


def rounds(world: World) -> list[RoundFinished]:
    return [event for event in world.events if isinstance(event, RoundFinished)]


def searched(method: Method, **settings: float) -> tuple[World, int]:
    """A search of 16 states over responses of 128 tokens, 32 a round, and what it sampled beside the base response."""
    search = Search(mutants=16, period=32, **settings)  # type: ignore[arg-type]
    request = EvolutionRequest(method, (Message("user", INSTRUCTION),), Sampling(128), search, seed=4)
    world = World(4, end_probability=0.0)
    last = world.run(config_for(request))[-1]
    return world, last.spent.decode - BASE_TOKENS


@pytest.mark.parametrize("method", METHODS_THAT_SEARCH)
def test_16_8_4_2_samples_960_tokens_where_16_whole_ones_take_2048(method: Method) -> None:
    assert searched(method)[1] == 2048
    world, sampled = searched(method, shrink=0.5)
    assert sampled == 960
    assert [16 - len(event.dropped) for event in rounds(world)] == [8, 4, 2, 2]
    assert [event.tokens for event in rounds(world)][1:] == [256, 128, 64]


@settings(max_examples=50)
@given(any_configs(), st.integers(0, 2**32), st.sampled_from([0.0, 0.3]))
def test_the_worst_end_for_good_and_are_no_answers(config: Config, seed: int, abstain: float) -> None:
    world = World(seed, abstain_probability=abstain)
    seen = world.run(config, random.Random(seed))
    for before, after in pairwise(rounds(world)):
        if before.cycle == after.cycle:
            assert set(before.dropped) <= set(after.dropped)
    for event in rounds(world):
        out, inside = set(event.dropped), set(range(len(event.texts))) - set(event.dropped)
        assert inside
        assert all(event.finished[state] for state in out)
        taking = {item.state for item in event.replacements} | {item.donor for item in event.replacements}
        assert out.isdisjoint(taking | set(event.survivors))
        assert config.shrink < 1 or not out
    last = seen[-1]
    for cycle in range(1, last.cycle + 1):
        told = [event for event in rounds(world) if event.cycle == cycle]
        states = {final.state for final in last.finals if final.cycle == cycle and final.state != BASE}
        assert not told or states.isdisjoint(told[-1].dropped)
    if last.stopped_by is None:
        assert all(final.response.finished for final in last.finals)
    assert answers.tokens(last).generated == last.spent.generated


@settings(max_examples=50)
@given(any_configs(), st.integers(0, 2**32))
def test_a_state_that_ended_samples_and_scores_nothing_more(config: Config, seed: int) -> None:
    for before, after in pairwise(World(seed).run(replace(config, shrink=0.5))):
        if (before.cycle, before.finished, after.finished) != (after.cycle, False, False):
            continue
        for one, other in zip(before.population, after.population, strict=True):
            assert not one.dropped or one == other


def state(reward: float | None, finish: str | None = None, abstained: str = "") -> State:
    response = Response((1,), "text", finish)  # type: ignore[arg-type]
    return State("Why?", "scored", response, "text", reward, abstained=abstained)


def test_the_best_unfinished_go_on_one_at_least_and_finished_ones_stay() -> None:
    states = [state(0.5), state(2.0, "stop"), state(1.0), state(-1.0, "stop"), state(0.5), state(9.0, None, "odd")]
    everyone = range(6)
    assert dropped(states, everyone, 1.0) == frozenset()
    assert dropped(states, everyone, 0.5) == {4, 5}
    assert dropped(states, everyone, 0.1) == {0, 4, 5}
    assert dropped(states, (1, 3), 0.1) == frozenset()
    assert dropped(states, (0, 1, 4), 0.9) == {4}, "any share below 1 drops one of two"
    breaking = replace(state(99.0), breaks="rules.brief")
    assert dropped([breaking, states[5], states[0]], range(3), 0.7) == {0}, "before those whose reward abstains"
    ten = [state(float(reward)) for reward in range(10)]
    assert [10 - len(dropped(ten, range(10), share)) for share in (0.3, 0.7, 0.9)] == [3, 7, 9]


def test_what_ended_early_is_not_in_the_archive() -> None:
    world = World(2, end_probability=0.0)
    config = Config(cycles=1, mutants=6, period=2, mutate=True, replace=False, max_tokens=8, shrink=0.34)
    world.run(config)
    out = set(rounds(world)[-1].dropped)
    assert len(out) == 5
    [end] = [event for event in world.events if isinstance(event, CycleFinished)]
    mutants = {f"mutant 1.{state}" for state in out}
    assert mutants.isdisjoint(entry.instruction for entry in end.candidates)
