"""Pairs: from hand-made evolutions, and from random ones that the core itself recorded."""

import math
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from services.orchestrator.core.values import BASE, Config, EvolutionState
from shared.records.events import Event
from shared.records.history import RecordedEvolution
from shared.records.preferences import PairSelection, PreferencePair, finals, step_pairs, whole_pairs
from tests.unit.cli.recordings import MESSAGES, base, cycle_finished, evolution, round_finished
from tests.unit.orchestrator.strategies import World, any_configs, configs

EVENTS: TypeAdapter[list[Event]] = TypeAdapter(list[Event])
NAN = float("nan")


def recorded(*events: dict[str, Any], **changes: str) -> RecordedEvolution:
    return RecordedEvolution.model_validate(evolution(*events, **changes))


def told(pairs: Any) -> list[tuple[str, str, str, float, float]]:
    return [(pair.kind, pair.chosen, pair.rejected, pair.score_chosen, pair.score_rejected) for pair in pairs]


def test_best_is_set_against_worst_and_base() -> None:
    one = round_finished(["a", "b"], [0.0, 0.0])
    two = round_finished(["c", "d"], [0.0, 0.0], cycle=2, round=3)
    found = recorded(base(), one, cycle_finished([0.75, -1.0]), two, cycle_finished([1.5, 0.25], cycle=2))
    pairs = list(whole_pairs(found))
    assert told(pairs) == [("best-worst", "c", "b", 1.5, -1.0), ("best-base", "c", "base", 1.5, 0.5)]
    assert [(pair.cycle, pair.round, pair.evolution) for pair in pairs] == [(2, 3, "evo_1")] * 2


def test_a_final_response_is_what_its_state_took_in_the_last_round() -> None:
    last = round_finished(["whole", "part"], [1.0, -2.0], {1: 0})
    found = [final.text for final in finals(recorded(last, cycle_finished([1.0, 1.0])))]
    assert found == ["whole", "whole"]


def test_of_a_cycle_that_did_not_end_complete_responses_count() -> None:
    last = round_finished(["a", "b", "c", "d"], [0.5, -1.0, 2.0, 1.0], {1: 0}, [True, True, False, False])
    found = [(final.text, final.reward) for final in finals(recorded(base(), last, status="cancelled"))]
    assert found == [("base", 0.5), ("a", 0.5), ("a", 0.5)]


def test_each_replacement_sets_the_kept_prefix_against_the_replaced_one() -> None:
    first = round_finished(["a", "b", "c"], [0.5, -1.0, 2.0], {0: 2, 1: 2}, [False] * 3)
    second = round_finished(["aa", "bb", "cc"], [0.5, 1.5, 2.0], {0: 1}, round=2)
    pairs = list(step_pairs(recorded(first, second)))
    assert told(pairs) == [
        ("kept-replaced", "c", "a", 2.0, 0.5),
        ("kept-replaced", "c", "b", 2.0, -1.0),
        ("kept-replaced", "bb", "aa", 1.5, 0.5),
    ]
    assert [pair.round for pair in pairs] == [1, 1, 2]


@pytest.mark.parametrize("missing", [None, NAN, math.inf, -math.inf])
def test_what_has_no_reward_is_in_no_pair(missing: float | None) -> None:
    rounds = round_finished(["a", "b", "c"], [missing, 1.0, 0.0], {0: 1, 2: 0})
    found = recorded(base(reward=missing), rounds, cycle_finished([missing, 1.0, -1.0]))
    assert told(whole_pairs(found)) == [("best-worst", "b", "a", 1.0, -1.0)]
    assert not list(step_pairs(found))


def test_one_final_response_makes_no_pair() -> None:
    assert not list(whole_pairs(recorded(base())))
    assert not list(whole_pairs(recorded()))


def test_rows_hold_the_original_conversation_only() -> None:
    found = recorded(base(), round_finished(["a", "b"], [1.0, 0.0], {1: 0}), cycle_finished([1.0, 1.0]))
    for pair in [*whole_pairs(found), *step_pairs(found)]:
        row = pair.row()
        assert row["prompt"] == MESSAGES
        assert [message["role"] for message in row["chosen"] + row["rejected"]] == ["assistant", "assistant"]
        assert "poet" not in repr(row)


def test_rows_tell_a_tenants_own_profile_from_one_of_the_same_name_that_all_may_use() -> None:
    one = evolution(base(), round_finished(["a", "b"], [1.0, 0.0], {1: 0}), cycle_finished([1.0, 1.0]))
    told = []
    for owner in ("acme", "", None):
        found = RecordedEvolution.model_validate({**one, "settings": {"profile": "brief@1", "profile_owner": owner}})
        rows = [pair.row() for pair in (*whole_pairs(found), *step_pairs(found))]
        told.append({(row["profile"], row["profile_owner"]) for row in rows})
    assert told == [{("brief@1", "acme")}, {("brief@1", "")}, {("brief@1", "")}]


def pair(**changes: Any) -> PreferencePair:
    given = {"kind": "best-base", "messages": (), "chosen": "a", "rejected": "b", "score_chosen": 1.0}
    return PreferencePair(**{**given, "score_rejected": 0.5, "evolution": "e", "cycle": 1, "round": 1, **changes})


def test_a_selection_counts_what_it_leaves_out() -> None:
    selection = PairSelection(min_margin=0.5)
    for offered in (pair(), pair(evolution="f"), pair(rejected="a"), pair(score_rejected=0.75), pair(score_chosen=0.0)):
        selection.offer(offered)
    assert selection.kept == [pair()]
    assert selection.skipped == {
        ("best-base", "seen before"): 1,
        ("best-base", "equal texts"): 1,
        ("best-base", "margin"): 2,
    }


def test_equal_rewards_are_no_preference() -> None:
    selection = PairSelection()
    selection.offer(pair(score_rejected=1.0))
    assert not selection.kept


@pytest.mark.parametrize(
    "events",
    [
        [round_finished(["a"], [1.0, 2.0])],
        [round_finished(["a", "b"], [1.0, 2.0], finished=[True])],
        [round_finished(["a", "b"], [1.0, 2.0], {0: 2})],
        [round_finished(["a", "b"], [1.0, 2.0], {-1: 0})],
        [{"type": "base.scored"}],
        ["base.scored"],
        None,
    ],
)
def test_what_is_no_recorded_evolution_is_refused(events: Any) -> None:
    with pytest.raises(ValidationError):
        RecordedEvolution.model_validate({**evolution(), "events": events})


def from_core(config: Config, seed: int) -> tuple[RecordedEvolution, EvolutionState]:
    world = World(seed)
    last = world.run(config)[-1]
    document = {**evolution(), "events": EVENTS.dump_python(world.events, mode="json")}
    return RecordedEvolution.model_validate(document), last


@given(any_configs(), st.integers(0, 2**32))
def test_final_responses_are_those_of_the_core(config: Config, seed: int) -> None:
    found, last = from_core(config, seed)
    scored = [final for final in last.finals if final.reward is not None and final.state != BASE]
    expected = Counter((final.response.text, final.reward, final.cycle) for final in scored if final.response.finished)
    if last.base.reward is not None:
        # No event says whether a budget has cut the base response, which then is no answer beside complete ones.
        expected[last.base.response.text, last.base.reward, 0] += 1
    told = Counter((final.text, final.reward, final.cycle) for final in finals(found))
    assert told <= expected
    if last.stopped_by is not None:
        return
    assert told == expected
    for best in list(whole_pairs(found))[:1]:
        assert best.score_chosen == max(reward for _, reward, _ in expected if reward is not None)


@given(configs(), st.integers(0, 2**32), st.floats(0, 2))
def test_what_is_kept_prefers_different_texts_once_each(config: Config, seed: int, min_margin: float) -> None:
    found, _ = from_core(config, seed)
    for pairs in (whole_pairs(found), step_pairs(found)):
        offered, selection = list(pairs), PairSelection(min_margin)
        for each in offered:
            assert each.margin >= 0
            selection.offer(each)
        assert len(selection.kept) + selection.skipped.total() == len(offered)
        assert len({(each.chosen, each.rejected) for each in selection.kept}) == len(selection.kept)
        assert all(each.chosen != each.rejected and each.margin >= min_margin for each in selection.kept)
        assert all(each.margin > 0 for each in selection.kept)
