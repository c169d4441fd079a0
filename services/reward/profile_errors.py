"""Explains what is wrong with a profile, in words for whoever wrote it."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from services.reward.registry import TYPES
from services.reward.rules.checks import CHECK_TYPES

_WORDS: Mapping[str, str] = {
    "missing": "is missing",
    "extra_forbidden": "is no setting here",
    "finite_number": "must be a finite number",
    "union_tag_invalid": "must have a type of {expected_tags}, not {tag!r}",
    "string_pattern_mismatch": "must match {pattern}",
    "too_short": "must hold at least {min_length} of them",
    "too_long": "must hold at most {max_length} of them",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "literal_error": "must be {expected}",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
}
_KINDS = {
    "bool": "true or false",
    "dict": "a mapping of names to values",
    "float": "a number",
    "int": "a whole number",
    "model": "a mapping of names to values",
    "model_attributes": "a mapping of names to values",
    "path": "a path",
    "string": "text",
    "tuple": "a list",
}
_ENDINGS = ("_type", "_parsing", "_from_float")


def problem(error: ValidationError) -> tuple[str, str]:
    """Where the first problem of a profile is, as the path of its file ("components.0.weight"), and what it is."""
    detail = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(_path(detail["loc"])) or "profile"
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "union_tag_not_found":
        return where, f"needs a type: one of {', '.join(CHECK_TYPES if '.checks.' in where else TYPES)}"
    return where, _explained(kind, context)


def _path(parts: tuple[int | str, ...]) -> Iterator[str]:
    """Behind the number of a component or check comes its type, which stands in no file's path."""
    for before, number, part in zip((None, None, *parts), (None, *parts), parts, strict=False):
        if not (before in ("components", "checks") and isinstance(number, int)):
            yield str(part)


def _explained(kind: str, context: Mapping[str, Any]) -> str:
    if kind == "value_error":
        return str(context["error"])
    if words := _WORDS.get(kind):
        return words.format(**context)
    for ending in _ENDINGS:
        if (name := kind.removesuffix(ending)) != kind and name in _KINDS:
            return f"must be {_KINDS[name]}"
    return "has a value that does not fit"
