"""Attempts as they are kept: in columns, with what all rows of a column share written once, and short times.

A call and its outcomes say the same of many states, so that most of an attempt in rows would be names and repetition.
"""

from collections.abc import Sequence
from dataclasses import asdict, fields
from operator import attrgetter
from typing import Any, get_args

from pydantic import TypeAdapter
from pydantic_core import from_json, to_json

from shared.records.attempts import Attempt, Call, Stage, StatePart
from shared.store import columns

_ATTEMPT: TypeAdapter[Attempt] = TypeAdapter(Attempt)
_STAGES: tuple[Stage, ...] = get_args(Stage)
_PART = {field.name: field.default for field in fields(StatePart)}
_PLACED = ("stage", "span_id", "cycle", "round", "started_at", "ended_at", "parts")
_CALL = {field.name: field.default for field in fields(Call) if field.name not in _PLACED}
_PLAIN = {field.name: field.default for field in fields(Attempt) if field.name not in ("calls", "outcomes", "lost")}
_TICKS = 1_000_000
"""Of a second: times are whole numbers of them, from the attempt's beginning."""


def packed(attempt: Attempt) -> str:
    """The attempt as JSON; its times are kept to the microsecond."""
    kept = {name: value for name, default in _PLAIN.items() if (value := getattr(attempt, name)) != default}
    kept["ended_at"] = _ticks(attempt.ended_at, attempt)
    places = _Places(attempt.outcomes)
    kept["calls"] = [_packed_call(call, attempt, places) for call in attempt.calls]
    kept["outcomes"] = list(columns.groups(attempt.outcomes))
    if attempt.lost:
        kept["lost"] = [asdict(lost) for lost in attempt.lost]
    return to_json({"columns": 1} | kept).decode()


def unpacked(text: str) -> Attempt:
    """The attempt that `packed` made JSON of, or an earlier version, in rows.

    Raises:
        ValueError: it is neither.
    """
    value = from_json(text)
    try:
        if isinstance(value, dict) and value.pop("columns", None):
            value["ended_at"] = _time(value["ended_at"], value)
            value["outcomes"] = [row for group in value["outcomes"] for row in columns.rows(group)]
            value["calls"] = [_unpacked_call(call, value) for call in value["calls"]]
        return _ATTEMPT.validate_python(value)
    except (TypeError, KeyError, IndexError, AttributeError) as error:
        raise ValueError(f"an attempt that cannot be read: {error!r}") from error


def _packed_call(call: Call, attempt: Attempt, places: "_Places") -> list[Any]:
    """Stage, span, beginning and end, what is not as in the attempt or by default, and the parts: where each is what an
    outcome says, only when it came, and the outcomes' numbers (the first, if they follow one another); else as a group.
    """
    beside = {name: value for name, default in _CALL.items() if (value := getattr(call, name)) != default}
    beside |= {name: value for name in ("cycle", "round") if (value := getattr(call, name)) != getattr(attempt, name)}
    times = (_ticks(call.started_at, attempt), _ticks(call.ended_at, attempt))
    packed = [_STAGES.index(call.stage), call.span_id, *times, beside]
    if not call.parts:
        return packed
    came = [_ticks(part.ended_at, attempt) for part in call.parts]
    if (numbers := places.of(call)) is not None:
        following = numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        return [*packed, came, numbers[0] if following else numbers]
    of_parts = {name: [getattr(part, name) for part in call.parts] for name in _PART} | {"ended_at": came}
    return [*packed, columns.group(of_parts, len(call.parts), _PART)]


def _unpacked_call(value: list[Any], attempt: dict[str, Any]) -> dict[str, Any]:
    stage, span_id, began, ended, beside, *packed = value
    if len(packed) == 2:
        came, numbers = packed
        numbers = [numbers + at for at in range(len(came))] if isinstance(numbers, int) else numbers
        states = range(len(came))
        said = [_said(attempt["outcomes"][number], state) for number, state in zip(numbers, states, strict=True)]
        parts = [dict(zip(_SAID, each, strict=True)) | {"ended_at": at} for each, at in zip(said, came, strict=True)]
    else:
        parts = columns.rows(packed[0]) if packed else []
    return {
        "stage": _STAGES[stage],
        "span_id": span_id,
        "cycle": attempt.get("cycle", 0),
        "round": attempt.get("round", 0),
        "started_at": _time(began, attempt),
        "ended_at": _time(ended, attempt),
        "parts": [part | {"ended_at": _time(part["ended_at"], attempt)} for part in parts],
        **beside,
    }


class _Places:
    """Which outcomes of an attempt say what the parts of its calls say; each is of one part only."""

    def __init__(self, outcomes: Sequence[Any]) -> None:
        self._outcomes = outcomes
        self._numbers: dict[tuple[str, Any], list[int]] = {}
        for number in range(len(outcomes) - 1, -1, -1):
            outcome = outcomes[number]
            if isinstance(outcome, dict) and (kind := outcome.get("kind")) in _STAGE_OF:
                state = None if kind == "Mutated" else outcome.get("state")
                if state is None or type(state) is int:
                    self._numbers.setdefault((_STAGE_OF[kind], state), []).append(number)

    def of(self, call: Call) -> list[int] | None:
        """The outcome of each part; None where a part has none."""
        found, stage = list[int](), call.stage
        for at, part in enumerate(call.parts):
            numbers = self._numbers.get((stage, None if stage == "mutation" else part.state))
            if not numbers:
                return None
            number = numbers.pop()
            said, of_part = _said(self._outcomes[number], at), _of_part(part)
            # In JSON 1, 1.0 and true differ, and 0.0 and -0.0.
            if said != of_part or [*map(type, said)] != [*map(type, of_part)] or 0.0 in (said[-1], said[-3]):
                return None
            found.append(number)
        return found


_STAGE_OF: dict[Any, Stage] = {"Mutated": "mutation", "Generated": "generation", "Scored": "reward"}
_SAID = ("state", "tokens", "prompt_tokens", "cached_tokens", "served_by", "queued_s", "finish", "reward")
_of_part = attrgetter(*_SAID)


def _said(outcome: dict[str, Any], state: int) -> tuple[Any, ...]:
    """What an outcome says of the part that it is of, in the order of `_SAID`; that of a mutant is `state`."""
    match outcome.get("kind"):
        case "Mutated":
            return (state, 0, 0, 0, "", None, None, None)
        case "Scored":
            return (outcome.get("state"), 0, 0, 0, "", None, None, outcome.get("reward"))
    return (
        outcome.get("state"),
        outcome.get("generated_tokens", 0),
        outcome.get("prompt_tokens", 0),
        outcome.get("cached_tokens", 0),
        outcome.get("served_by", ""),
        outcome.get("queued_seconds"),
        None if outcome.get("partial") else outcome.get("finish"),
        None,
    )


def _ticks(time: float, attempt: Attempt) -> int:
    return round((time - attempt.started_at) * _TICKS)


def _time(ticks: int, attempt: dict[str, Any]) -> float:
    return float(attempt["started_at"]) + ticks / _TICKS
