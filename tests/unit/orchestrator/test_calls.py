"""Searches whose responses call tools: what replacement leaves alone, what is scored, and what is answered."""

import random
from dataclasses import dataclass, replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from services.orchestrator.adapters import codec, outcome_json
from services.orchestrator.core import answers, machine
from services.orchestrator.core.responses import Called
from services.orchestrator.core.values import BASE, Config, EvolutionState, Generate, Generated, Score, Stopped
from shared.records.events import RoundFinished
from shared.records.tools import ToolCall
from tests.unit.orchestrator.strategies import INSTRUCTION, World, configs, survived

seeds = st.integers(0, 2**32)
ONE = ToolCall("weather", '{"city": "Rome"}')


@dataclass
class Callers(World):
    """Some responses begin a call with one of their tokens; of those, some are whole once they end."""

    def _generated(self, effect: Generate, rng: random.Random) -> Generated:
        outcome = super()._generated(effect, rng)
        ids = effect.token_ids + outcome.token_ids
        if not any(token % 7 == 0 for token in ids):
            return outcome
        calls = (replace(ONE, arguments=f'{{"day": {len(ids) % 3}}}'),) if sum(ids) % 3 else ()
        canonical = f"call {len(ids) % 3}" if calls else ""
        return replace(outcome, called=Called(True, calls, canonical, "Hm." if calls else "", sum(ids) % 2 == 0))


def rounds(world: World) -> list[RoundFinished]:
    return [event for event in world.events if isinstance(event, RoundFinished)]


def calling(evolution: EvolutionState) -> set[int]:
    return {i for i, state in enumerate(evolution.population) if state.response.called.begun}


@given(configs(replacing=True, budget=False), seeds)
def test_a_response_that_has_begun_a_call_takes_no_part_in_replacement(config: Config, seed: int) -> None:
    world = Callers(seed)
    for before, after in pairwise(world.run(config)):
        if after.rounds == before.rounds:
            continue
        event, callers = rounds(world)[after.rounds - 1], calling(before)
        assert not callers & set(event.survivors)
        assert not callers & {index for item in event.replacements for index in (item.state, item.donor)}
        others = set(range(config.mutants)) - callers
        assert len(event.survivors) == min(config.survivors, len(others))
        if after.cycle == before.cycle and not after.finished:
            assert all(after.population[i].response == before.population[i].response for i in callers)


@given(configs(), seeds)
def test_what_is_scored_is_text_and_calls_once(config: Config, seed: int) -> None:
    for evolution in Callers(seed).run(config):
        for effect in machine.next_effects(evolution):
            if isinstance(effect, Score):
                state = evolution.base if effect.state == BASE else evolution.population[effect.state]
                called = state.response.called
                if called.calls:
                    assert effect.text == f"Hm.\n{called.canonical}"
                    assert not effect.partial
                else:
                    assert "call" not in effect.text
                assert not (called.calls and not state.response.finished)


@given(configs(), seeds)
def test_a_valid_response_comes_before_every_other(config: Config, seed: int) -> None:
    evolution = Callers(seed).run(config)[-1]
    found = answers.choices(evolution, len(evolution.finals))
    assert [choice.valid for choice in found] == sorted((choice.valid for choice in found), reverse=True)
    assert found[0].valid == any(final.response.valid for final in evolution.finals)
    keys = [final.response.called.canonical or final.response.text for final in evolution.finals]
    assert len(found) == len(set(keys))


@given(configs(), seeds)
def test_evolutions_and_outcomes_survive_json(config: Config, seed: int) -> None:
    world = Callers(seed)
    for evolution in world.run(config):
        assert codec.load(codec.dump(evolution)) == evolution
        for effect in machine.next_effects(evolution):
            if not evolution.finished:
                for outcome in world.perform(effect):
                    assert survived(outcome) == outcome


def test_what_says_nothing_of_calls_is_dumped_as_before() -> None:
    outcome = Generated(1, 1, 0, (1,), "a", "a", "stop", 1)
    assert "called" not in outcome_json.dump_outcome(outcome)
    assert survived(outcome) == outcome


def test_a_search_that_is_stopped_answers_with_a_call_that_is_whole() -> None:
    config = Config(cycles=1, mutants=2, period=4, survivors=1, mutate=False, replace=True, max_tokens=8)
    evolution, _ = machine.begin(config, INSTRUCTION, 1)
    called = Called(True, (ONE,), "call")
    for state, finish in ((BASE, "length"), (0, "stop"), (1, "length")):
        ids, text = (7,), "<tool_call>"
        outcome = Generated(1, 1, state, ids, text, text, finish, 1, called=called if state == 0 else Called(True))  # type: ignore[arg-type]
        evolution, _ = machine.apply(evolution, outcome)
    for effect in machine.next_effects(evolution):
        for scored in World(1).perform(effect):
            evolution, _ = machine.apply(evolution, scored)
    evolution, _ = machine.apply(evolution, Stopped("deadline_ms"))
    [choice] = answers.choices(evolution, 3)
    assert (choice.tool_calls, choice.text, choice.finish_reason, choice.valid) == ((ONE,), "", "stop", True)
