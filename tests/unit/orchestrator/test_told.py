"""Events are kept as what is new in them, and read whole, whoever saved which of them."""

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from services.orchestrator.adapters import outcome_json
from services.orchestrator.adapters.told import told_before
from services.orchestrator.core import machine
from services.orchestrator.core.values import Config, EvolutionState, Outcome
from shared.records.events import Event, RoundFinished
from shared.records.telling import Told
from shared.store import layout
from tests.unit.orchestrator.strategies import INSTRUCTION, World, any_configs, configs

seeds = st.integers(0, 2**32)
Save = tuple[EvolutionState, list[Outcome], list[Event]]
"""The evolution before it, and what is saved since."""


def saves(config: Config, seed: int, order: int, pause: float) -> Iterator[Save]:
    """A run that is saved at checkpoints and, with this probability, after any other outcome."""
    rng, world = random.Random(order), World(seed, abstain_probability=0.1)
    evolution, begun = machine.begin(config, INSTRUCTION, seed)
    before, outcomes, events = evolution, list[Outcome](), list(begun)
    while not evolution.finished:
        for outcome in world.perform(rng.choice(machine.next_effects(evolution))):
            evolution, more = machine.apply(evolution, outcome)
            outcomes.append(outcome)
            events += more
            if evolution.checkpoint != before.checkpoint or evolution.finished or rng.random() < pause:
                yield before, outcomes, events
                before, outcomes, events = evolution, [], []


def kept(save: Save) -> list[Any]:
    """The events of a save as a worker that knows nothing but the state before it keeps them."""
    before, _, events = save
    told = told_before(before)
    assert told.shortened(events) == told.shortened(events), "as where a save is sent again"
    return [json.loads(to_json(event)) for event in told.shortened(events)]


@given(any_configs(), seeds, seeds, st.sampled_from([0.0, 0.1]), st.booleans())
def test_every_event_is_read_as_it_was(config: Config, seed: int, order: int, pause: float, relative: bool) -> None:
    read, config = Told(), replace(config, relative=relative)
    for save in saves(config, seed, order, pause):
        assert [read.whole(event) for event in kept(save)] == save[2]


@given(configs(), seeds, seeds)
def test_whoever_goes_on_in_the_middle_reads_the_rest_as_it_was(config: Config, seed: int, order: int) -> None:
    every = list(saves(config, seed, order, 0.1))
    events = [event for save in every for event in save[2]]
    stored = [event for save in every for event in kept(save)]
    at = order % (len(events) + 1)
    read = Told()
    for event in stored[:at]:
        read.whole(event)
    assert [read.whole(event) for event in stored[at:]] == events[at:]


@given(configs(), seeds, seeds, st.sampled_from([0.0, 0.1]))
def test_texts_that_events_tell_stand_in_no_outcome(config: Config, seed: int, order: int, pause: float) -> None:
    told: list[Event] = []
    for before, outcomes, events in saves(config, seed, order, pause):
        told += events
        dumped = outcome_json.dump_outcomes(outcomes, before, events)
        evolution = before
        for outcome, value in zip(outcomes, json.loads(json.dumps(dumped)), strict=True):
            read = outcome_json.load_outcome(value, evolution, told)
            assert outcome_json.dump_outcome(read) == outcome_json.dump_outcome(outcome)
            evolution, _ = machine.apply(evolution, outcome)
        if any(isinstance(event, RoundFinished) for event in events):
            # A budget may have cut a piece, which then ends with a second outcome.
            last = {value["state"]: value for value in dumped if value["kind"] == "Generated" and value["state"] >= 0}
            assert not any("text" in value for value in last.values())


@pytest.mark.parametrize("replaces", [True, False])
def test_events_hold_little_more_than_what_is_sampled(replaces: bool) -> None:
    """However long responses become, and however often they are copied."""
    sizes = []
    for max_tokens in (100, 400):
        config = Config(
            cycles=2, mutants=8, period=20, survivors=2, mutate=True, replace=replaces, max_tokens=max_tokens
        )
        world, sampled = World(3, end_probability=0.0), 0
        evolution, events = machine.begin(config, INSTRUCTION, 3)
        told, every = told_before(evolution), list[Event]()
        while not evolution.finished:
            for outcome in world.perform(machine.next_effects(evolution)[0]):
                evolution, events = machine.apply(evolution, outcome)
                every += events
                sampled += 3 * getattr(outcome, "generated_tokens", 0)
        sizes.append(sum(len(to_json(event)) for event in told.shortened(every)) / sampled)
    assert sizes[1] <= sizes[0] < 2.5


def test_whole_events_of_earlier_versions_are_read() -> None:
    config = Config(cycles=2, mutants=4, period=4, survivors=1, mutate=True, replace=True, max_tokens=12)
    events = [event for save in saves(config, 1, 1, 0.0) for event in save[2]]
    read = Told()
    # A search may have been begun by a version that kept them whole, and gone on with by this one.
    half = len(events) // 2
    stored = [json.loads(layout.dumped(layout.EVENT, event)) for event in events[:half]]
    stored += [json.loads(to_json(event)) for event in Told().shortened(events)[half:]]
    assert [read.whole(event) for event in stored] == events


@pytest.mark.parametrize(
    "event",
    [
        None,
        [],
        {},
        {"type": "no such"},
        {"type": "cycle.started", "cycle": 2, "parent": 3},
        {"type": "cycle.started"},
        {"type": "mutant.accepted", "cycle": 1, "state": 0, "kept": 3, "text": "", "operator": "", "source": "model"},
        {"type": "round.finished", "kept": [1], "texts": ["a"], "replacements": [], "finished": []},
        {"type": "round.finished", "kept": 1, "texts": [], "replacements": [1], "finished": None},
        {"type": "cycle.finished", "cycle": 1, "rewards": [], "candidates": [0], "archive": [], "best_reward": 1.0},
        {"type": "cycle.finished", "cycle": 1, "rewards": 1, "candidates": [{"a": 1}], "archive": 1},
    ],
)
def test_what_is_no_event_is_a_known_error(event: Any) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Told().whole(event)
