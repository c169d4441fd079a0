"""Attempts as they are kept: in columns, with what all rows of a column share written once, and short times.

A call and its outcomes say the same of many states, so that most of an attempt in rows would be names and repetition.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from itertools import groupby
from typing import Any, get_args

from pydantic import TypeAdapter
from pydantic_core import from_json, to_json

from shared.records.attempts import Attempt, Call, Stage, StatePart

_ATTEMPT: TypeAdapter[Attempt] = TypeAdapter(Attempt)
_STAGES: tuple[Stage, ...] = get_args(Stage)
_PART = {field.name: field.default for field in fields(StatePart)}
_CALL = {field.name: field.default for field in fields(Call)}
_PLAIN = {field.name: field.default for field in fields(Attempt) if field.name not in ("calls", "outcomes", "lost")}
_SHORT = {str, int, float, bool, type(None)}
_TICKS = 1_000_000
"""Of a second: times are whole numbers of them, from the attempt's beginning."""


def packed(attempt: Attempt) -> str:
    """The attempt as JSON; its times are kept to the microsecond."""
    kept = {name: value for name, default in _PLAIN.items() if (value := getattr(attempt, name)) != default}
    kept["ended_at"] = _ticks(attempt.ended_at, attempt)
    kept["calls"] = [_packed_call(call, attempt) for call in attempt.calls]
    kept["outcomes"] = list(_groups(attempt.outcomes))
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
            value["outcomes"] = [row for group in value["outcomes"] for row in _rows(group)]
            value["calls"] = [_unpacked_call(call, value) for call in value["calls"]]
        return _ATTEMPT.validate_python(value)
    except (TypeError, KeyError, IndexError, AttributeError) as error:
        raise ValueError(f"an attempt that cannot be read: {error!r}") from error


def _packed_call(call: Call, attempt: Attempt) -> list[Any]:
    """Stage, span, beginning and end, what is not as in the attempt or by default, and the parts as a group. Rewards
    that outcomes have, too, are only said to be those from the outcome `rewards_from` on.
    """
    plain = {"cycle": attempt.cycle, "round": attempt.round}
    beside = {
        name: value
        for name, default in (_CALL | plain).items()
        if name not in ("stage", "span_id", "started_at", "ended_at", "parts")
        and (value := getattr(call, name)) != default
    }
    columns = {name: [getattr(part, name) for part in call.parts] for name in _PART}
    columns["ended_at"] = [_ticks(time, attempt) for time in columns["ended_at"]]
    if (first := _rewards_from(columns["reward"], attempt)) is not None:
        beside["rewards_from"] = first
        del columns["reward"]
    times = (_ticks(call.started_at, attempt), _ticks(call.ended_at, attempt))
    return [
        _STAGES.index(call.stage),
        call.span_id,
        *times,
        beside,
        *([_group(columns, len(call.parts), _PART)] if call.parts else []),
    ]


def _unpacked_call(value: list[Any], attempt: dict[str, Any]) -> dict[str, Any]:
    stage, span_id, began, ended, beside, *groups = value
    rows = [row for group in groups for row in _rows(group)]
    parts = [row | {"ended_at": _time(row["ended_at"], attempt)} for row in rows]
    if (first := beside.pop("rewards_from", None)) is not None:
        for number, part in enumerate(parts, first):
            part["reward"] = attempt["outcomes"][number]["reward"]
    return {
        "stage": _STAGES[stage],
        "span_id": span_id,
        "cycle": attempt.get("cycle", 0),
        "round": attempt.get("round", 0),
        "started_at": _time(began, attempt),
        "ended_at": _time(ended, attempt),
        "parts": parts,
        **beside,
    }


def _rewards_from(rewards: list[float | None], attempt: Attempt) -> int | None:
    """Where outcomes begin that have these rewards, in this order; None where none do."""
    if not rewards or None in rewards:
        return None
    known = [outcome.get("reward") if isinstance(outcome, dict) else None for outcome in attempt.outcomes]
    return next((at for at, reward in enumerate(known) if known[at : at + len(rewards)] == rewards), None)


def _groups(rows: Sequence[Any]) -> Iterator[list[Any]]:
    """Rows that follow one another and have the same names in columns; what is no object stands by itself."""
    for names, group in groupby(rows, key=lambda row: (row.get("kind"), *row) if isinstance(row, dict) else id(row)):
        same = list(group)
        yield _group(_columns(same), len(same)) if isinstance(names, tuple) else same


def _columns(rows: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in rows[0]}


def _group(columns: dict[str, list[Any]], count: int, defaults: Mapping[str, Any] = {}) -> list[Any]:
    """How many rows there are, what they share, the columns that differ, and columns of objects as groups."""
    shared, each, nested = {}, {}, {}
    for name, values in columns.items():
        first = values[0]
        if _same(values):
            if name not in defaults or first != defaults[name]:
                shared[name] = first
        elif isinstance(first, dict) and first and all(_alike(value, first) for value in values):
            nested[name] = _group(_columns(values), count)
        else:
            each[name] = values
    return [count, shared, each, *([nested] if nested else [])]


def _rows(group: list[Any]) -> list[Any]:
    if len(group) == 1:
        return group
    count, shared, each, *nested = group
    columns = each | {name: _rows(inner) for columns in nested for name, inner in columns.items()}
    return [shared | {name: column[row] for name, column in columns.items()} for row in range(count)]


def _alike(one: Any, other: dict[str, Any]) -> bool:
    return isinstance(one, dict) and list(one) == list(other)


def _same(values: list[Any]) -> bool:
    """Whether all are the same short value in JSON, where 1, 1.0 and true differ, and 0.0 and -0.0."""
    first, kind = values[0], type(values[0])
    if kind not in _SHORT or values.count(first) < len(values):
        return False
    return kind is str or (len(set(map(type, values))) == 1 and (kind is not float or first != 0.0))


def _ticks(time: float, attempt: Attempt) -> int:
    return round((time - attempt.started_at) * _TICKS)


def _time(ticks: int, attempt: dict[str, Any]) -> float:
    return float(attempt["started_at"]) + ticks / _TICKS
