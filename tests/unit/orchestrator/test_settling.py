"""The beginning of the answer that is settled before the end: whatever comes, the answer begins with it."""

import random
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.orchestrator.adapters import codec
from services.orchestrator.adapters.packing import NOTHING_WRITTEN, pack
from services.orchestrator.adapters.unpacking import unpack
from services.orchestrator.core import answers, machine
from services.orchestrator.core.presets import config_for
from services.orchestrator.core.responses import NOTHING_SETTLED, Called, Response, Settled
from services.orchestrator.core.settling import common_beginning, settled_after
from services.orchestrator.core.values import (
    BASE,
    Config,
    Effect,
    EvolutionState,
    Final,
    Generate,
    Generated,
    Outcome,
    Score,
    Scored,
    State,
    Stopped,
)
from shared.records.events import Event, RoundFinished
from shared.records.evolution import EvolutionRequest, Message, Sampling, SavedState
from shared.records.formats import ResponseFormat
from shared.records.search import Search
from shared.records.settling import unsettled
from shared.records.telling import Told
from shared.records.tools import Tool, ToolUse
from tests.unit.orchestrator.strategies import World, any_configs, configs

seeds = st.integers(0, 2**32)
CONFIG = Config(
    cycles=1, mutants=3, period=4, survivors=1, mutate=False, replace=True, max_tokens=16, stream_settled=True
)
REQUEST = EvolutionRequest("darwin", (Message("user", "Hi"),), Sampling(200), Search(stream_settled=True), seed=1)


def settled_by(events: list[Event]) -> list[tuple[str, str]]:
    return [event.settled_answer for event in events if isinstance(event, RoundFinished) and event.settled]


@given(any_configs(), seeds, seeds)
def test_the_answer_begins_with_all_that_was_settled(config: Config, seed: int, order: int) -> None:
    """However the search goes, and wherever it is stopped: by its budgets, or from outside."""
    world = World(seed)
    seen = world.run(replace(config, stream_settled=True), random.Random(order))
    for before, after in pairwise(seen):
        assert after.settled.text.startswith(before.settled.text)
    told = settled_by(world.events)
    assert [text for text, _ in told] == list(dict.fromkeys(each.settled.text for each in seen if each.settled.text))
    assert not any(text.endswith(" ") for text, _ in told)
    for evolution in (seen[-1], *(machine.apply(each, Stopped("cancelled"))[0] for each in seen if not each.finished)):
        assert evolution.finished
        for choice in answers.choices(evolution, 1):
            assert choice.text.startswith(evolution.settled.text)
        assert answers.choices(evolution, 1) or not evolution.settled.text


@given(seeds)
def test_nothing_but_the_answer_depends_on_whether_it_is_settled_while_all_are_under_way(seed: int) -> None:
    """Until a response ends, settling changes no decision."""
    ways = []
    for settles in (True, False):
        world = World(seed, end_probability=0.0)
        world.run(replace(CONFIG, stream_settled=settles))
        ways.append([replace(event, settled=0) for event in world.events if isinstance(event, RoundFinished)])
    assert ways[0] == ways[1]


def test_what_is_settled_is_told_round_by_round() -> None:
    world = World(3, end_probability=0.0)
    final = world.run(CONFIG)[-1]
    [answer] = answers.choices(final, 1)
    told = [text for text, _ in settled_by(world.events)]
    # Of four rounds, the last one ends every response.
    assert [len(text.split()) for text in told] == [4, 8, 12]
    assert all(answer.text.startswith(text) for text in told)
    assert len(answer.text.split()) == 16


@given(configs(replacing=True, settling=True), seeds)
def test_what_is_settled_survives_being_kept(config: Config, seed: int) -> None:
    world, written, parts = World(seed), NOTHING_WRITTEN, tuple[str, ...]()
    for evolution in world.run(config):
        saved, written = pack(evolution, written)
        parts += saved.parts
        assert unpack(SavedState(saved.head, parts))[0].settled == evolution.settled
        assert codec.load(codec.dump(evolution)) == evolution
        # What a version without settling would not know is left out where nothing is settled.
        assert ("settled" in saved.head) == bool(evolution.settled.text)
    reader, kept = Told(), Told().shortened(world.events)
    assert [reader.whole(fields) for fields in kept] == world.events


def population(*responses: Response, rewards: tuple[float | None, ...] = ()) -> tuple[State, ...]:
    rewards = rewards or (1.0,) * len(responses)
    return tuple(
        State("Hi", "scored", response, reward=reward) for response, reward in zip(responses, rewards, strict=True)
    )


def under_way(config: Config = CONFIG, *finals: Final, settled: Settled = NOTHING_SETTLED) -> EvolutionState:
    return EvolutionState(config, "Hi", 1, State("Hi"), cycle=config.cycles, finals=finals, settled=settled)


def final(text: str, reward: float) -> Final:
    return Final(0, BASE, "Hi", Response((1,), text, "stop"), reward, {})


def test_what_all_that_go_on_begin_with_is_settled() -> None:
    both = population(Response((1,), "The sea rises "), Response((1,), "The sea falls"))
    assert settled_after(under_way(), both).text == "The sea"
    ended = population(Response((1,), "No.", "stop"), Response((1,), "The sea falls"), rewards=(0.5, 1.0))
    assert settled_after(under_way(), ended).text == "The sea falls"
    assert settled_after(under_way(settled=Settled("The")), both).text == "The sea"


@pytest.mark.parametrize(
    ("evolution", "states"),
    [
        (under_way(replace(CONFIG, stream_settled=False)), population(Response((1,), "The sea"))),
        (under_way(CONFIG, final("Better.", 2.0)), population(Response((1,), "The sea"))),
        (under_way(), population(Response((1,), "No.", "stop"), Response((1,), "The sea"), rewards=(2.0, 1.0))),
        (under_way(), population(Response((1,), "The sea"), Response((1,), "The sea", called=Called(begun=True)))),
        (under_way(), population(Response((1,), "The"), Response((1,), "", reasoning="Hm", thinking=True))),
        (under_way(), population(Response((1,), "The", reasoning="A"), Response((1,), "The", reasoning="B"))),
        (under_way(), population(Response((1,), "The sea.", "stop"))),
        (under_way(), (replace(population(Response((1,), "The sea"))[0], abstained="unfamiliar"),)),
        (under_way(), (replace(population(Response((1,), "The sea"))[0], breaks="rules.brief"),)),
        (under_way(), (replace(population(Response((1,), "The sea"))[0], components={"form": -1.0}),)),
        (under_way(), (replace(population(Response((1,), "The sea"))[0], dropped=True),)),
        (replace(under_way(replace(CONFIG, cycles=2)), cycle=1), population(Response((1,), "The sea"))),
        (under_way(replace(CONFIG, held_back=7)), population(Response((1,), "The sea"))),
    ],
    ids=[
        "off",
        "base leads",
        "ended leads",
        "calls",
        "thinks",
        "thoughts differ",
        "all ended",
        "abstains",
        "requirement",
        "form",
        "dropped",
        "cycle",
        "stop string",
    ],
)
def test_nothing_is_settled(evolution: EvolutionState, states: tuple[State, ...]) -> None:
    assert settled_after(evolution, states) == evolution.settled == NOTHING_SETTLED


def test_a_worse_answer_outside_keeps_nothing_back_and_is_no_answer_then() -> None:
    evolution = under_way(CONFIG, final("Worse.", 0.5))
    settled = settled_after(evolution, population(Response((1,), "The sea", reasoning="Hm")))
    assert settled == Settled("The sea", "Hm")
    assert not settled.kept_by(Response((1,), "The sea"))
    assert answers.choices(replace(evolution, settled=settled), 1) == ()


class Script(World):
    """State 0 ends in its first round. State 1 has the greater reward then, and by far the least from then on."""

    def perform(self, effect: Effect) -> list[Outcome]:
        match effect:
            case Generate(state=0):
                return [Generated(effect.cycle, effect.round, 0, (1,), "No.", "No.", "stop", 2)]
            case Generate(state=1):
                text = "The sea" + " is" * effect.round
                ids = (1,) * effect.max_new_tokens
                return [Generated(effect.cycle, effect.round, 1, ids, text, text, "length", len(ids))]
            case Score(state=1):
                return [Scored(effect.cycle, effect.round, 1, 1.0 if effect.round == 1 else -5.0)]
            case Score(state=0):
                return [Scored(effect.cycle, effect.round, 0, 0.0)]
        return super().perform(effect)


def test_a_response_outside_that_has_ended_donates_no_more() -> None:
    world = Script(1)
    ended = world.run(replace(CONFIG, mutants=2))[-1]
    rounds = [event for event in world.events if isinstance(event, RoundFinished)]
    assert [event.survivors for event in rounds] == [(1,)] * 4
    assert [text for text, _ in settled_by(world.events)] == ["The sea" + " is" * n for n in (1, 2, 3)]
    [answer] = answers.choices(ended, 1)
    assert answer.text == "The sea is is is is"
    assert answer.reward == -5.0


@given(st.lists(st.text("ab", max_size=6), min_size=1, max_size=5))
def test_the_common_beginning_is_the_longest_one(texts: list[str]) -> None:
    shared = common_beginning(texts)
    assert all(text.startswith(shared) for text in texts)
    longer = {text[: len(shared) + 1] for text in texts}
    assert len(longer) > 1 or longer == {shared}


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (replace(REQUEST, method="best-of-n"), "best-of-n decodes its responses in one piece"),
        (replace(REQUEST, n=2), "n is more than 1"),
        (replace(REQUEST, tool_use=ToolUse((Tool("look"),))), "tools may be called"),
        (replace(REQUEST, sampling=Sampling(9, format=ResponseFormat("json_object"))), "format"),
        (replace(REQUEST, sampling=Sampling(9, logprobs=0)), "log probabilities"),
    ],
    ids=["method", "n", "tools", "format", "logprobs"],
)
def test_where_nothing_is_settled_the_answer_says_why(request_: EvolutionRequest, why: str) -> None:
    assert not config_for(request_).stream_settled
    assert why in unsettled(request_)
    assert unsettled(replace(request_, search=Search())) == ""


def test_as_much_is_held_back_as_a_stop_string_may_yet_cut() -> None:
    config = config_for(replace(REQUEST, sampling=Sampling(9, stop=("\n\n", "END!"))))
    assert (config.stream_settled, config.held_back) == (True, 3)
    assert settled_after(under_way(config), population(Response((1,), "The sea EN"))).text == "The sea"
