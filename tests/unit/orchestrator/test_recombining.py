"""Searches whose mutants quote earlier responses: which they quote, and what all stages make of it."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.mutation.recombination import operator_of
from services.orchestrator.adapters.codec import dump, load
from services.orchestrator.adapters.mutation import _to_pb
from services.orchestrator.adapters.packing import NOTHING_WRITTEN, pack
from services.orchestrator.adapters.unpacking import unpack
from services.orchestrator.core import machine, recombining
from services.orchestrator.core.responses import Called, Response
from services.orchestrator.core.values import BASE, Config, EvolutionState, Final, Mutate, State
from shared.pb import mutation_pb2 as pb
from shared.records.credit import Credit, Earned
from shared.records.evolution import EvolutionRequest, Message, Sampling
from shared.records.limits import MAX_QUOTED_CHARACTERS
from shared.records.search import Search
from shared.records.tools import ToolCall
from tests.unit.in_process import stages
from tests.unit.orchestrator.strategies import World, configs

CONFIG = Config(cycles=2, mutants=4, mutate=True, replace=True, max_tokens=9, crossover=3, refine=True)
WHOLE = Response((1,), "Whole.", "stop")
CALL = Called(begun=True, calls=(ToolCall("weather", "{}"),), canonical="{}", beside="Wait.")


def final(text: str, reward: float | None, **fields: Any) -> Final:
    response = replace(WHOLE, text=text, **fields.pop("response", {}))
    return replace(Final(1, 0, "Hi", response, reward, {}), **fields)


def evolved(*finals: Final, cycle: int = 2, **changes: Any) -> EvolutionState:
    return EvolutionState(replace(CONFIG, **changes), "Hi", 1, State("Hi"), finals=finals, cycle=cycle, mutating=True)


def test_the_best_distinct_responses_are_quoted_best_first() -> None:
    finals = (final("b", 2.0), final("d", 0.5), final("a\nx", 3.0), final(" a  x", 2.5), final("c", 1.0))
    assert recombining.combined(evolved(*finals)) == ("a\nx", "b", "c")
    assert recombining.combined(evolved(*finals, crossover=8)) == ("a\nx", "b", "c", "d")
    assert recombining.refined(evolved(*finals)) == "a\nx"
    # Whose form is fixed is better whole than cut.
    cut = final("cut", 9.0, response={"finish": "length"})
    assert recombining.refined(evolved(*finals, cut)) == "cut"
    assert recombining.refined(evolved(*finals, cut, complete_first=True)) == "a\nx"


def test_neither_in_the_first_cycle_nor_unasked() -> None:
    finals = (final("a", 2.0), final("b", 1.0))
    (first,) = [each for each in machine.next_effects(evolved(*finals, cycle=1)) if isinstance(each, Mutate)]
    assert (first.crossover, first.refine) == ((), "")
    (off,) = [
        each for each in machine.next_effects(evolved(*finals, crossover=0, refine=False)) if isinstance(each, Mutate)
    ]
    assert (off.crossover, off.refine) == ((), "")
    (both,) = [each for each in machine.next_effects(evolved(*finals)) if isinstance(each, Mutate)]
    assert (both.crossover, both.refine) == (("a", "b"), "a")
    assert repr(both) == repr(off), "effects are told as they were before"


@pytest.mark.parametrize(
    "useless",
    [
        final(" \n", 9.0),
        final("odd", 9.0, abstained="out_of_distribution"),
        final("too long", 9.0, breaks="rules.brief"),
        final("unscored", None),
        final("wrong form", 9.0, components={"form": -1.0, "quality": 10.0}),
        final("Wait.", 9.0, response={"called": CALL}),
        final("half a call", 9.0, response={"called": Called(begun=True)}),
        final("", 9.0, response={"thinking": True, "reasoning": "hm", "finish": "length"}),
    ],
)
def test_what_shows_no_answer_is_not_quoted(useless: Final) -> None:
    evolution = evolved(useless, final("fine", 0.0))
    assert recombining.combined(evolution) == ()
    assert recombining.refined(evolution) == "fine"
    assert recombining.refined(evolved(useless)) == ""


def test_only_the_answer_is_quoted_and_no_thought() -> None:
    thought = final("Four.", 2.0, response={"reasoning": "Two and two.", "reasoning_tokens": 5})
    assert recombining.combined(evolved(thought, final("4", 1.0))) == ("Four.", "4")


@settings(max_examples=30)
@given(configs(), st.integers(0, 99))
def test_searches_without_them_ask_for_what_they_asked_before(config: Config, seed: int) -> None:
    for evolution in World(seed).run(config):
        assert not {"crossover", "refine"} & set(dump(evolution).split('"'))
        assert not {"crossover", "refine"} & set(repr(pack(evolution, NOTHING_WRITTEN)).split('"'))
        for effect in machine.next_effects(evolution):
            if isinstance(effect, Mutate):
                before = Mutate(
                    effect.cycle, effect.parent, effect.count, effect.exclude, effect.seed, effect.max_tokens
                )
                assert effect == before
                known = {field.number for field, _ in asked(effect, REQUEST).ListFields()}
                assert not known & {70, 71}


@settings(max_examples=30)
@given(configs(), st.integers(0, 99), st.randoms(use_true_random=False))
def test_a_call_that_is_made_again_quotes_the_same(config: Config, seed: int, order: Any) -> None:
    """Also where a worker goes on with what another has saved."""
    config = replace(config, cycles=3, crossover=2, refine=True, mutate=True)
    quoted: dict[int, set[tuple[tuple[str, ...], str]]] = {}
    for evolution in World(seed).run(config, order):
        if evolution.mutating:
            restored, _ = unpack(pack(evolution, NOTHING_WRITTEN)[0])
            for each in (evolution, load(dump(evolution)), restored):
                found = (recombining.combined(each), recombining.refined(each))
                quoted.setdefault(each.cycle, set()).add(found)
    assert all(len(found) == 1 for found in quoted.values())
    assert quoted.get(1, {((), "")}) == {((), "")}


REQUEST = EvolutionRequest(
    "darwin", (Message("user", "How do tides work?"),), Sampling(24), Search(cycles=2, period=8), seed=3, seeded=True
)


def asked(effect: Mutate, request: EvolutionRequest, credit: Credit | None = None) -> pb.MutateRequest:
    return _to_pb(effect, request, effect.count, effect.exclude, effect.max_tokens, credit)


def test_whole_answers_are_quoted_and_credit_draws_no_operator_of_a_setting() -> None:
    effect = Mutate(2, "Hi", 4, (), 1, crossover=(" moon.", " sun" * MAX_QUOTED_CHARACTERS), refine=" moon.")
    begun = (*REQUEST.messages, Message("assistant", "<think>Hm.</think> By the"))
    request = replace(REQUEST, messages=begun, prefill_thought=len("<think>Hm.</think>"))
    sent = asked(effect, request, Credit({"shorten": Earned(1, 1), "crossover": Earned(9, 9)}, 1.0))
    assert (sent.crossover[0], sent.refine) == ("By the moon.", "By the moon.")
    assert len(sent.crossover[1]) == MAX_QUOTED_CHARACTERS
    assert set(sent.earned) == {"shorten"}


@pytest.mark.parametrize("mutation", ["auto", "templates"])
async def test_a_search_over_all_stages_has_one_of_each_from_the_second_cycle_on(mutation: Any) -> None:
    search = Search(cycles=3, mutants=4, period=8, crossover=3, refine=True, mutation=mutation)
    async with stages() as served:
        evolution = await served.searched(replace(REQUEST, search=search))
    assert evolution.stopped_by is None
    original = REQUEST.messages[0].content
    for cycle in (1, 2, 3):
        made = [operator_of(each.instruction, original) for each in evolution.finals if each.cycle == cycle]
        assert {name: made.count(name) for name in ("crossover", "refine")} == dict.fromkeys(
            ("crossover", "refine"), int(cycle > 1)
        )
    best = {each.cycle: each for each in evolution.finals if operator_of(each.instruction, original) == "refine"}
    before = [each for each in evolution.finals if each.cycle < 2 or each.state == BASE]
    quoted = max(before, key=lambda each: each.reward or 0.0).response.text
    assert f"> {quoted}\n" in best[2].instruction
    # Two critiques, and nothing else that a model writes.
    assert (evolution.spent.mutation > 0) == (mutation == "auto")
