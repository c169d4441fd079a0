"""Rewards that abstain, and when the base response is the answer although another one came first."""

import json
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.orchestrator.adapters import outcome_json
from services.orchestrator.core import answers, machine
from services.orchestrator.core.responses import Called, Response
from services.orchestrator.core.values import (
    BASE,
    Config,
    EvolutionState,
    Final,
    Finish,
    Generate,
    Generated,
    Score,
    Scored,
)
from shared.records.events import BaseScored, CycleFinished, RoundFinished
from shared.records.evolution import Fallback
from tests.unit.orchestrator.strategies import World, any_configs, survived

BROKEN, HOLDS = {"quality": 2.0, "form": -3.0}, {"quality": 1.0, "form": 0.0}


def final(text: str, reward: float, state: int = 0, **more: Any) -> Final:
    response = Response((1,), text, more.pop("finish", "stop"), called=more.pop("called", Called()))
    return Final(1, state, "Why?", response, reward, more.pop("components", {}), **more)


def evolution(*finals: Final, **changes: Any) -> EvolutionState:
    config = Config(cycles=1, mutants=2, period=4, mutate=False, replace=False, max_tokens=4, **changes)
    seen = World(1).run(config)[-1]
    return replace(seen, finals=finals)


OK, BASE_ANSWER = final("fine", 0.5, 1), final("plain", 0.0, BASE, components=HOLDS)
LONG, BROKEN_BASE = final("long", 8.0, breaks="brief"), replace(BASE_ANSWER, breaks="brief")
ODD = final("zxq zxq", 9.0, abstained="out_of_distribution")


@pytest.mark.parametrize(
    ("finals", "first", "why"),
    [
        ((BASE_ANSWER, OK), "fine", None),
        ((BASE_ANSWER, OK, ODD), "plain", "reward_abstained"),
        ((BASE_ANSWER, OK, replace(ODD, reward=0.1)), "fine", None),
        ((BASE_ANSWER, OK, final(" \n", 9.0)), "plain", "empty"),
        ((BASE_ANSWER, final("wordy", 9.0, components=BROKEN)), "plain", "form_broken"),
        ((replace(BASE_ANSWER, components=BROKEN), final("wordy", 9.0, components=BROKEN)), "wordy", None),
        ((replace(BASE_ANSWER, abstained="out_of_distribution"), ODD), "plain", "reward_abstained"),
        ((final("", 0.0, BASE), ODD), "zxq zxq", None),
        ((final("", 0.0, BASE), final("", 1.0)), "", None),
        ((final("plain", 9.0, BASE, abstained="out_of_distribution"), OK), "plain", None),
        ((OK, ODD), "zxq zxq", None),
        ((BASE_ANSWER, OK, LONG), "fine", None),
        ((BASE_ANSWER, LONG), "plain", None),
        ((BROKEN_BASE, LONG), "plain", "requirement_broken"),
        ((BROKEN_BASE, OK, LONG), "fine", None),
        ((BROKEN_BASE, replace(ODD, reward=-9.0), LONG), "plain", "reward_abstained"),
        ((replace(BROKEN_BASE, reward=99.0), LONG), "plain", "requirement_broken"),
        ((final("", 0.0, BASE, breaks="brief"), LONG), "long", None),
        ((final("<call", 0.0, BASE, finish="length", called=Called(begun=True)), ODD), "zxq zxq", None),
    ],
)
def test_the_base_response_is_the_answer_where_the_first_must_not_be(
    finals: tuple[Final, ...], first: str, why: Fallback | None
) -> None:
    found = evolution(*finals)
    assert (answers.choices(found, 1)[0].text, answers.fallback(found)) == (first, why)
    assert len(answers.choices(found, 9)) == len({each.response.text for each in finals})


def test_a_response_in_its_form_is_not_given_up_for_one_that_was_cut() -> None:
    cut, odd = replace(BASE_ANSWER, response=Response((1,), '{"a":', "length")), replace(ODD, reward=0.2)
    assert answers.fallback(evolution(cut, odd, complete_first=True)) is None
    assert answers.fallback(evolution(cut, odd)) == "reward_abstained"


def test_the_others_follow_in_their_order_with_what_their_rewards_said() -> None:
    found = answers.choices(evolution(BASE_ANSWER, OK, ODD), 3)
    assert [(each.text, each.abstained) for each in found] == [
        ("plain", ""),
        ("zxq zxq", "out_of_distribution"),
        ("fine", ""),
    ]


@settings(max_examples=50)
@given(any_configs(), st.integers(0, 2**32))
def test_who_abstains_gives_nothing_while_another_does_not(config: Config, seed: int) -> None:
    world = World(seed, abstain_probability=0.4)
    seen = world.run(config, random.Random(seed))
    for event in world.events:
        match event:
            case RoundFinished() if event.abstained:
                able = [state for state in range(len(event.texts)) if state not in event.dropped]
                donors = {item.donor for item in event.replacements}
                if not all(event.abstained[state] for state in able):
                    assert not any(event.abstained[state] for state in donors | set(event.survivors))
            case CycleFinished():
                assert len(event.candidates) <= config.archive_candidates
    told = [event.abstained for event in world.events if isinstance(event, BaseScored)]
    assert told == [seen[-1].base.abstained] * len(told)


@settings(max_examples=20)
@given(any_configs(), st.integers(0, 2**32))
def test_who_breaks_a_requirement_never_survives_while_another_does_not(config: Config, seed: int) -> None:
    world = World(seed, break_probability=0.4, abstain_probability=0.1)
    seen = world.run(config, random.Random(seed))
    for event in world.events:
        if isinstance(event, RoundFinished) and event.breaks:
            able = [state for state in range(len(event.texts)) if state not in event.dropped]
            if not all(event.breaks[state] for state in able):
                donors = {item.donor for item in event.replacements}
                assert not any(event.breaks[state] for state in donors | set(event.survivors))
    found, why = answers.choices(seen[-1], 1), answers.fallback(seen[-1])
    finals = [each for each in seen[-1].finals if each.response.valid and each.response.whole_text.strip()]
    if found and not why and any(not each.breaks for each in finals):
        assert not found[0].breaks
    told = [event.breaks for event in world.events if isinstance(event, BaseScored)]
    assert told == [seen[-1].base.breaks] * len(told)


def test_an_unfinished_response_that_breaks_a_requirement_is_replaced_by_one_that_is_rewarded_worse() -> None:
    config = Config(cycles=1, mutants=3, period=4, survivors=1, mutate=False, replace=True, max_tokens=12)
    evolution, _ = machine.begin(config, "Why?", 1)
    while effects := [each for each in machine.next_effects(evolution) if not isinstance(each, Finish)]:
        if evolution.rounds:
            break
        for effect in effects[:1]:
            match effect:
                case Generate():
                    ids = (10 + effect.state,) * effect.max_new_tokens
                    text = f"text {effect.state}"
                    outcome: Any = Generated(1, 1, effect.state, ids, text, text, "length", len(ids))
                case Score():
                    outcome = Scored(
                        1, 1, effect.state, 9.0 - effect.state, breaks="brief" if effect.state != 2 else ""
                    )
            evolution, events = machine.apply(evolution, outcome)
    [event] = [event for event in events if isinstance(event, RoundFinished)]
    assert event.survivors == (2,)
    assert [(item.state, item.donor) for item in event.replacements] == [(0, 2), (1, 2)]
    assert event.breaks == ("brief", "brief", "")
    assert [state.breaks for state in evolution.population] == ["", "", ""]


def test_a_thought_breaks_no_requirement() -> None:
    config = Config(cycles=1, mutants=2, period=4, mutate=False, replace=True, max_tokens=8, replace_in_reasoning=True)
    evolution, _ = machine.begin(config, "Why?", 1)
    thought: dict[str, Any] = {"reasoning": "hm", "reasoning_tokens": 4, "thinking": True}
    evolution, _ = machine.apply(evolution, Generated(1, 1, 0, (5,) * 4, "", "", "length", 4, **thought))
    evolution, _ = machine.apply(evolution, Scored(1, 1, 0, 1.0, breaks="brief"))
    assert (evolution.population[0].reward, evolution.population[0].breaks) == (1.0, "")


def test_a_state_keeps_what_was_said_of_its_reward_until_it_grows() -> None:
    config = Config(cycles=1, mutants=3, period=4, mutate=False, replace=True, max_tokens=12)
    seen = World(3, end_probability=0.0, abstain_probability=1.0).run(config)
    assert all(each.abstained == "out_of_distribution" for each in seen[-1].finals)
    assert any(state.reward is None for one in seen for state in one.population)
    assert all(not state.abstained for one in seen for state in one.population if state.reward is None)


def test_an_outcome_that_abstains_is_kept() -> None:
    outcome = Scored(1, 2, 0, 0.5, {"quality": 0.5}, 7, "out_of_distribution")
    assert survived(outcome) == outcome
    kept = json.dumps(outcome_json.dump_outcome(replace(outcome, abstained="")))
    assert "abstained" not in kept
    assert "breaks" not in kept
    assert survived(replace(outcome, breaks="rules.brief")).breaks == "rules.brief"  # type: ignore[union-attr]
