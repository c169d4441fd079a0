"""When a search stops between its cycles, and what it says about that."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.orchestrator.adapters import codec
from services.orchestrator.adapters.packing import NOTHING_WRITTEN, pack
from services.orchestrator.core import stopping
from services.orchestrator.core.values import BASE, Config, EvolutionState
from shared.compute.expected_gain import expected_gain
from shared.records.events import CycleFinished, CycleStarted, Outlook
from shared.records.telling import Told
from tests.unit.orchestrator.strategies import World, configs

seeds = st.integers(0, 2**32)
SEVERAL = Config(
    cycles=3, mutants=4, period=4, survivors=1, lookahead=0, mutate=True, replace=True, max_tokens=12, token_price=0.0
)


def ended(world: World) -> list[CycleFinished]:
    return [event for event in world.events if isinstance(event, CycleFinished)]


def searched(config: Config, seed: int) -> tuple[EvolutionState, list[CycleFinished]]:
    world = World(seed)
    return world.run(config)[-1], ended(world)


def of_several_cycles(price: float | None, seed: int = 3) -> tuple[EvolutionState, list[CycleFinished]]:
    return searched(replace(SEVERAL, token_price=price), seed)


def test_a_search_goes_on_while_no_response_keeps_what_is_required() -> None:
    dear = replace(SEVERAL, token_price=1e6)
    world = World(3, break_probability=1.0)
    assert searched(dear, 3)[0].cycle == 1
    assert (world.run(dear)[-1].cycle, {event.outlook for event in ended(world)}) == (3, {None})


@settings(max_examples=20)
@given(configs(budget=False), seeds)
def test_a_search_without_a_price_searches_every_cycle_and_says_nothing(config: Config, seed: int) -> None:
    evolution, cycles = searched(replace(config, token_price=None), seed)
    assert evolution.cycle == config.cycles == len(cycles)
    assert [cycle.outlook for cycle in cycles] == [None] * len(cycles)
    assert evolution.gains == ()
    assert '"gains"' not in codec.dump(evolution)
    assert "gains" not in pack(evolution, NOTHING_WRITTEN)[0].head


@settings(max_examples=25)
@given(configs(budget=False), seeds, st.sampled_from((0.0, 1.0, 20.0, 1000.0)))
def test_a_search_goes_on_until_a_cycle_is_not_worth_its_price(config: Config, seed: int, price: float) -> None:
    free, all_cycles = searched(replace(config, token_price=0.0), seed)
    evolution, cycles = searched(replace(config, token_price=price), seed)
    assert [replace(cycle, outlook=None) for cycle in cycles] == [
        replace(cycle, outlook=None) for cycle in all_cycles[: len(cycles)]
    ]
    assert evolution.finals == free.finals[: len(evolution.finals)]
    for cycle in cycles[:-1]:
        assert cycle.outlook
        assert cycle.outlook.gain >= cycle.outlook.price
    if len(cycles) == config.cycles:
        assert evolution.stopped_by is None
        assert not cycles or cycles[-1].outlook is None
    else:
        last = cycles[-1].outlook
        assert last
        assert last.gain < last.price == price * last.tokens / 1000
        assert evolution.stopped_by == "gain_unlikely"


def test_the_outlook_is_of_the_gains_over_the_parents() -> None:
    world = World(3)
    evolution = world.run(SEVERAL)[-1]
    assert len(evolution.gains) == SEVERAL.cycles * SEVERAL.mutants
    parents = [event.parent for event in world.events if isinstance(event, CycleStarted)]
    base = next(final for final in evolution.finals if final.state == BASE)
    archive, gains = {base.instruction: base.reward or 0.0}, list[float]()
    for parent, cycle in zip(parents, ended(world), strict=True):
        gains += [reward - archive[parent] for reward in cycle.rewards]
        archive = {entry.instruction: entry.reward for entry in cycle.archive}
        if cycle.outlook:
            expected = expected_gain(gains, list(archive.values()), cycle.best_reward, SEVERAL.mutants)
            assert cycle.outlook.gain == pytest.approx(expected)
            assert cycle.outlook.price == 0
    assert evolution.gains == tuple(gains)
    first = ended(world)[0].outlook
    assert first
    sampled = sum(final.response.tokens for final in evolution.finals if final.cycle == 1)
    assert first.tokens >= sampled


def test_responses_to_one_instruction_are_compared_with_the_base_response_in_every_cycle() -> None:
    config = replace(SEVERAL, mutate=False)
    evolution, cycles = searched(config, 0)
    base = next(final.reward for final in evolution.finals if final.state == BASE)
    assert base is not None
    rewards = [reward for cycle in cycles for reward in cycle.rewards]
    assert evolution.gains == tuple(reward - base for reward in rewards)
    assert cycles[-2].archive[0].reward > base, "the archive's entry has become better than the base response"


def test_a_price_above_all_gains_ends_a_search_after_its_first_cycle() -> None:
    evolution, cycles = of_several_cycles(1000.0)
    assert (evolution.stopped_by, evolution.cycle, len(cycles)) == ("gain_unlikely", 1, 1)
    assert evolution.best_reward == cycles[0].best_reward


def test_a_budget_that_is_used_up_comes_before_the_gain() -> None:
    free, _ = of_several_cycles(0.0)
    first = next(state for state in World(3).run(SEVERAL) if state.cycle == 2).spent.generated
    evolution, _ = searched(replace(SEVERAL, token_price=1000.0, max_generated_tokens=first + 1), 3)
    assert free.cycle == 3
    assert evolution.stopped_by == "max_generated_tokens"


def test_nothing_is_expected_without_gains() -> None:
    before = World(3).run(SEVERAL)[0]
    assert stopping.outlook(before) is None


def test_events_tell_the_outlook_and_are_as_short_as_ever_without() -> None:
    world = World(3)
    world.run(SEVERAL)
    told = Told().shortened(world.events)
    reader = Told()
    assert [reader.whole(event) for event in told] == world.events
    without = replace(ended(world)[-1], outlook=None)
    assert "outlook" not in Told().shortened([without])[0]
    assert Told().shortened([replace(without, outlook=Outlook(0.5, 100.0, 0.25))])[0]["outlook"]["gain"] == 0.5
