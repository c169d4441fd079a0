"""Attempts are kept in columns, and read as they were, those of earlier versions too."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from shared.records.attempts import Attempt, Call, StatePart
from shared.store import layout
from shared.store.attempt_columns import packed, unpacked
from tests.unit.orchestrator.test_journal import attempts, listed

MICROSECOND = 1e-6
BEGAN = 1_795_963_017.6737144


def timed(attempt: Attempt, time_of: Callable[[float], float]) -> Attempt:
    """The attempt with other times."""
    calls = tuple(
        replace(
            call,
            started_at=time_of(call.started_at),
            ended_at=time_of(call.ended_at),
            parts=tuple(replace(part, ended_at=time_of(part.ended_at)) for part in call.parts),
        )
        for call in attempt.calls
    )
    return replace(attempt, started_at=BEGAN, ended_at=time_of(attempt.ended_at), calls=calls)


def times(attempt: Attempt) -> list[float]:
    found = [attempt.ended_at]
    for call in attempt.calls:
        found += [call.started_at, call.ended_at, *(part.ended_at for part in call.parts)]
    return found


def as_json(attempt: Attempt) -> str:
    """Apart from times; unlike values it tells 1 from 1.0 and true."""
    return json.dumps(json.loads(layout.dumped(layout.ATTEMPT, timed(attempt, lambda _: 0.0))), sort_keys=True)


@given(attempts)
def test_attempts_are_read_as_they_were(attempt: Attempt) -> None:
    attempt = timed(attempt, lambda time: BEGAN + min(abs(time), 1e6))
    read = unpacked(packed(attempt))
    assert as_json(read) == as_json(attempt)
    assert times(read) == pytest.approx(times(attempt), abs=MICROSECOND)


@given(attempts)
def test_those_of_earlier_versions_are_read(attempt: Attempt) -> None:
    kept = replace(attempt, outcomes=tuple(listed(outcome) for outcome in attempt.outcomes))
    assert unpacked(layout.dumped(layout.ATTEMPT, attempt, sparse=True)) == kept


def round_of(states: int) -> Attempt:
    rewards = [0.1234567890123 + state for state in range(states)]
    generated = [StatePart(state, 5.25, 40, 120, 118, 0.5, "length") for state in range(states)]
    scored = [StatePart(state, 5.5, reward=reward) for state, reward in enumerate(rewards)]
    outcome: dict[str, Any] = {"kind": "Generated", "cycle": 1, "round": 2, "token_ids": 40, "told": True}
    outcomes = [outcome | {"state": state} for state in range(states)]
    outcomes += [
        {"kind": "Scored", "cycle": 1, "round": 2, "state": state, "reward": reward, "components": {"quality": reward}}
        for state, reward in enumerate(rewards)
    ]
    calls = (
        Call("generation", "a" * 16, 1, 2, 5.0, 5.25, tuple(generated), 40 * states),
        Call("reward", "b" * 16, 1, 2, 5.25, 5.5, tuple(scored)),
    )
    return Attempt("c" * 32, 3, 1, 2, 5.0, 5.75, "host:1", calls, tuple(outcomes), 1)


def test_a_state_costs_little_beside_its_text() -> None:
    few, many = round_of(8), round_of(40)
    assert unpacked(packed(many)) == many
    assert (len(packed(many)) - len(packed(few))) / 32 < 100


@pytest.mark.parametrize(
    "changes", [{"ended_at": "x"}, {"calls": [[]]}, {"calls": 1}, {"outcomes": [[2, {}, {"a": [1]}]]}, {"outcomes": 1}]
)
def test_what_is_no_attempt_is_a_known_error(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        unpacked(json.dumps(json.loads(packed(round_of(2))) | changes))
    with pytest.raises(ValueError, match=r"\w"):
        unpacked(json.dumps(changes))
