"""Objects in JSON as columns, with what all rows of a column share written once."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

_SHORT = {str, int, float, bool, type(None)}


def groups(rows: Sequence[Any]) -> Iterator[list[Any]]:
    """Rows that follow one another and have the same names in columns; one that is alone, and what is no object, stands
    by itself.
    """
    for names, together in groupby(rows, key=lambda row: (row.get("kind"), *row) if isinstance(row, dict) else id(row)):
        same = list(together)
        yield group(columns(same), len(same)) if isinstance(names, tuple) and len(same) > 1 else same


def columns(rows: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    """The values of each name; all rows have the same names."""
    return {name: [row[name] for row in rows] for name in rows[0]}


def group(columns_of: dict[str, list[Any]], count: int, defaults: Mapping[str, Any] = {}) -> list[Any]:
    """How many rows there are, what they share, the columns that differ, and columns of objects as groups."""
    shared, each, nested = {}, {}, {}
    for name, values in columns_of.items():
        first = values[0]
        if _same(values):
            if name not in defaults or first != defaults[name]:
                shared[name] = first
        elif isinstance(first, dict) and first and all(_alike(value, first) for value in values):
            nested[name] = group(columns(values), count)
        else:
            each[name] = values
    return [count, shared, *([each] if each or nested else []), *([nested] if nested else [])]


def rows(group: list[Any]) -> list[Any]:
    """The rows of a group.

    Raises:
        TypeError, ValueError, KeyError, IndexError, AttributeError: it is none.
    """
    if len(group) == 1:
        return group
    count, shared, *differing = group
    each = dict(differing[0]) if differing else {}
    for nested in differing[1:]:
        each |= {name: rows(inner) for name, inner in nested.items()}
    return [shared | {name: column[row] for name, column in each.items()} for row in range(count)]


def _alike(one: Any, other: dict[str, Any]) -> bool:
    return isinstance(one, dict) and list(one) == list(other)


def _same(values: list[Any]) -> bool:
    """Whether all are the same short value in JSON, where 1, 1.0 and true differ, and 0.0 and -0.0."""
    first, kind = values[0], type(values[0])
    if kind not in _SHORT or values.count(first) < len(values):
        return False
    return kind is str or (len(set(map(type, values))) == 1 and (kind is not float or first != 0.0))
