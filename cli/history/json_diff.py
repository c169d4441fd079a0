"""Where two values first differ."""

from itertools import zip_longest
from typing import Any

NOTHING = "(nothing)"
"""Stands where one side has no value at all."""


def first_difference(recorded: Any, replayed: Any, path: str) -> tuple[str, Any, Any] | None:
    """The path at which two JSON values first differ, and what stands there; None where they are the same."""
    if isinstance(recorded, dict) and isinstance(replayed, dict):
        pairs = [
            (f"{path}.{name}", recorded.get(name, NOTHING), replayed.get(name, NOTHING))
            for name in {**recorded, **replayed}
        ]
    elif isinstance(recorded, list) and isinstance(replayed, list):
        longest = zip_longest(recorded, replayed, fillvalue=NOTHING)
        pairs = [(f"{path}[{index}]", *pair) for index, pair in enumerate(longest)]
    else:
        return None if recorded == replayed else (path, recorded, replayed)
    differences = (first_difference(old, new, where) for where, old, new in pairs)
    return next(filter(None, differences), None)


def same_characters(one: str, other: str) -> int:
    """How many characters two texts begin with that are the same."""
    differing = (index for index, (left, right) in enumerate(zip(one, other, strict=False)) if left != right)
    return next(differing, min(len(one), len(other)))
