"""What mutants gained over their parents, from the events of a search."""

import math

import pytest

from services.orchestrator.credit.gains import CycleGains, cycle_gains
from shared.records.credit import Gain
from shared.records.events import (
    Accepted,
    ArchiveEntry,
    BaseScored,
    CycleFinished,
    CycleStarted,
    Event,
    MutantAccepted,
    Replacement,
    RoundFinished,
)

PLAIN, LONG = "How?", "How?\n\nWrite a long answer."


def round_of(cycle: int, texts: tuple[str, ...], replaced: tuple[Replacement, ...] = ()) -> RoundFinished:
    rewards, finished = (None,) * len(texts), (True,) * len(texts)
    return RoundFinished(cycle, 1, texts, rewards, (0,), replaced, finished, 10)


def finished(cycle: int, *rewards: float) -> CycleFinished:
    return CycleFinished(cycle, rewards, (), (ArchiveEntry(PLAIN, 1.0),), max(rewards))


EVENTS: tuple[Event, ...] = (
    Accepted("darwin"),
    CycleStarted(1, PLAIN),
    MutantAccepted(1, 1, PLAIN + " Briefly.", "shorten", "template"),
    MutantAccepted(1, 0, LONG, "ask_long", "template"),
    MutantAccepted(1, 2, PLAIN, "parent", "parent"),
    BaseScored("x" * 99, 1.0, 30),
    # The last state took the response of the first, and nothing was decoded after that.
    round_of(1, ("x" * 199, "x" * 49, "x" * 7), (Replacement(1, 0),)),
    finished(1, 3.0, 2.5, 0.5),
    CycleStarted(2, LONG),
    MutantAccepted(2, 0, LONG + " With reasons.", "ask_reasons+ask_steps", "template"),
    MutantAccepted(2, 1, PLAIN + " Plainly.", "clarify", "model"),
    round_of(2, ("x" * 99, "x" * 199)),
    finished(2, 3.5, 1.0),
)


def test_gains_are_over_the_parents_response_in_reward_and_in_length() -> None:
    first, second = cycle_gains(EVENTS)
    assert first.gains == (
        Gain("ask_long", 2.0, pytest.approx(math.log(2))),
        Gain("shorten", 1.5, pytest.approx(math.log(2))),
    )
    assert second == CycleGains(
        2, (Gain("ask_reasons+ask_steps", 0.5, pytest.approx(-math.log(2))), Gain("clarify", -2.0, 0.0))
    )


def test_a_cycle_that_has_not_finished_has_no_gains_yet() -> None:
    assert [each.cycle for each in cycle_gains(EVENTS[:-1])] == [1]
    assert list(cycle_gains(EVENTS[:6])) == []


def test_the_parents_own_response_is_the_best_that_it_has_had() -> None:
    """Two states may have the same instruction."""
    again = (
        CycleStarted(1, PLAIN),
        MutantAccepted(1, 0, LONG, "ask_long", "template"),
        MutantAccepted(1, 1, LONG, "ask_long", "template"),
        BaseScored("", 0.0, 1),
        round_of(1, ("a", "b")),
        finished(1, 4.0, 2.0),
        CycleStarted(2, LONG),
        MutantAccepted(2, 0, LONG + " Plainly.", "clarify", "model"),
        round_of(2, ("c",)),
        finished(2, 5.0),
    )
    *_, last = cycle_gains(again)
    assert last.gains == (Gain("clarify", 1.0, 0.0),)
