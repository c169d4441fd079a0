"""What is kept of an attempt: it survives JSON, and its seconds are those in which a call was under way."""

import asyncio
from dataclasses import MISSING, fields, replace
from typing import Any

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from services.orchestrator.core.values import Generated, Mutated, MutationEnded, Score, Scored
from services.orchestrator.journal import Journal
from shared.errors import Unavailable
from shared.records.attempts import Attempt, Call, LostAttempt, Stage, StatePart
from shared.records.evolution import Failure, Seconds

_ATTEMPT: TypeAdapter[Attempt] = TypeAdapter(Attempt)
_CALL: TypeAdapter[Call] = TypeAdapter(Call)
STAGES: tuple[Stage, ...] = ("mutation", "generation", "reward")

times = st.integers(0, 400).map(lambda tick: tick / 8)  # sums of eighths are exact
words = st.text(max_size=8)
counts = st.integers(0, 10_000)
numbers = st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | counts | numbers | words,
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
parts = st.builds(
    StatePart,
    state=st.integers(-1, 20),
    ended_at=numbers,
    tokens=counts,
    prompt_tokens=counts,
    cached_tokens=counts,
    queued_s=st.none() | numbers,
    finish=st.none() | words,
    reward=st.none() | numbers,
)
calls = st.builds(
    lambda stage, begun, lasted, **rest: Call(stage, started_at=begun, ended_at=begun + lasted, **rest),
    st.sampled_from(STAGES),
    times,
    times,
    span_id=words,
    cycle=counts,
    round=counts,
    parts=st.lists(parts, max_size=3).map(tuple),
    tokens=counts,
    final=st.booleans(),
    error=st.none() | words,
    goes_on=st.booleans(),
)
attempts = st.builds(
    Attempt,
    id=words,
    version=counts,
    cycle=counts,
    round=counts,
    started_at=numbers,
    ended_at=numbers,
    worker=words,
    calls=st.lists(calls, max_size=3).map(tuple),
    outcomes=st.lists(st.dictionaries(words, values, max_size=3), max_size=3).map(tuple),
    error=st.none() | st.builds(Failure, code=words, message=words, field=st.none() | words),
    after=words,
    lost=st.lists(st.builds(LostAttempt, id=words, started_at=numbers), max_size=2).map(tuple),
)


def listed(value: object) -> object:
    """Tuples within outcomes, which JSON does not know, as lists."""
    if isinstance(value, dict):
        return {name: listed(item) for name, item in value.items()}
    return [listed(item) for item in value] if isinstance(value, list | tuple) else value


@pytest.mark.parametrize(
    "field", [pytest.param(each, id=each.name) for each in fields(Call) if each.default is not MISSING]
)
def test_every_field_of_a_call_is_drawn(field: Any) -> None:
    def differs(attempt: Attempt) -> bool:
        return any(getattr(call, field.name) != field.default for call in attempt.calls)

    find(attempts, differs, settings=settings(phases=(Phase.generate,)))  # any will do, not the smallest


@given(attempts)
def test_attempts_survive_json(attempt: Attempt) -> None:
    kept = replace(attempt, outcomes=tuple(listed(outcome) for outcome in attempt.outcomes))
    assert _ATTEMPT.validate_json(_ATTEMPT.dump_json(attempt)) == kept


@given(calls)
def test_calls_survive_json(call: Call) -> None:
    assert _CALL.validate_json(_CALL.dump_json(call)) == call


@given(st.lists(calls, max_size=8), times)
def test_seconds_are_those_in_which_a_call_was_under_way(made: list[Call], before: float) -> None:
    journal = Journal()
    journal.calls = made
    seconds = journal.added_to(Seconds(mutation=before, total=7.0))
    for stage in STAGES:
        ticks = {
            tick
            for call in made
            if call.stage == stage
            for tick in range(int(call.started_at * 8), int(call.ended_at * 8))
        }
        assert getattr(seconds, stage) == len(ticks) / 8 + (before if stage == "mutation" else 0)
    assert seconds.total == 7.0


def test_a_call_takes_down_what_came_of_it() -> None:
    journal = Journal()
    with journal.call("generation", [], 1, 2) as generation:
        generation.note(Generated(1, 2, -1, (7,), "a", "a", "stop", 2, 5, 3, 0.25), journal.now())
    with journal.call("mutation", [], 1, 2) as mutation:
        for text in ("x", "y"):
            mutation.note(Mutated(1, text), journal.now())
        mutation.note(MutationEnded(1, 30), journal.now())
    with journal.call("reward", [Score(1, 2, 0, "a", final=True)], 1, 2) as reward:
        reward.note(Scored(1, 2, 0, 0.5, computed_tokens=9), journal.now())
    made = {call.stage: call for call in journal.calls}
    assert [(made[stage].tokens, made[stage].final) for stage in STAGES] == [(30, False), (2, False), (9, True)]
    (part,) = made["generation"].parts
    assert (part.state, part.tokens, part.prompt_tokens, part.cached_tokens) == (-1, 2, 5, 3)
    assert (part.queued_s, part.finish) == (0.25, "stop")
    assert [part.state for part in made["mutation"].parts] == [0, 1]
    assert made["reward"].parts[0].reward == 0.5
    for call in journal.calls:
        assert (call.cycle, call.round, call.error) == (1, 2, None)
        assert journal.started_at <= call.started_at <= call.parts[0].ended_at <= call.ended_at <= journal.now()
        assert len(call.span_id) == 16


@pytest.mark.parametrize(
    ("raised", "error"),
    [(Unavailable("away"), "Unavailable"), (ValueError("odd"), "Internal"), (asyncio.CancelledError(), "Cancelled")],
)
def test_a_call_that_was_cut_short_says_why(raised: BaseException, error: str) -> None:
    journal = Journal()
    with pytest.raises(type(raised)), journal.call("reward", [], 1, 1):
        raise raised
    assert [call.error for call in journal.calls] == [error]
