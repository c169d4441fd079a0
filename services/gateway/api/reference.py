"""Writes the table of docs/api.md from the bodies' schemas: `python -m services.gateway.api.reference`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, get_args, get_origin

from pydantic import BaseModel

from services.gateway.api.embeddings.requests import EmbeddingRequest
from services.gateway.api.field_kinds import Kind, NotSupported, WithoutEffect, kind_of
from services.gateway.api.openai_responses.requests import ResponseCreate
from services.gateway.api.requests import ChatCompletionRequest, EvolutionCreate
from services.gateway.api.text_completions.requests import CompletionRequest

_BODIES: dict[str, type[BaseModel]] = {
    "chat": ChatCompletionRequest,
    "evolutions": EvolutionCreate,
    "responses": ResponseCreate,
    "completions": CompletionRequest,
    "embeddings": EmbeddingRequest,
}
PAGE = Path("docs/api.md")
BEGIN = "<!-- made by `python -m services.gateway.api.reference` -->"
END = "<!-- end -->"


def with_table(page: str) -> str:
    """The page with the table between its marker lines as the schemas are now.

    Raises:
        ValueError: the page lacks a marker line.
    """
    before, found, rest = page.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not (found and ended):
        raise ValueError(f"the page needs the lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{_table()}\n\n{END}{after}"


class _Row(NamedTuple):
    field: str
    values: str
    outcome: str
    meaning: str


def _table() -> str:
    takers: dict[_Row, list[str]] = {}
    for name, body in _BODIES.items():
        for row in _rows(body, ""):
            takers.setdefault(row, []).append(name)
    rows = sorted(takers, key=lambda row: row.field.replace("`", ""))
    lines = [f"| {' | '.join(row)} | {_by(takers[row])} |" for row in rows]
    head = ["| field | values | what becomes of it | | in |", "| --- | --- | --- | --- | --- |"]
    return "\n".join([*head, *lines, "| anything else | | refused | | all |"])


def _by(names: list[str]) -> str:
    """Which bodies have the field."""
    lacking = [name for name in _BODIES if name not in names]
    return ", ".join(names) if len(lacking) > 1 else " but ".join(["all", *lacking])


def _rows(model: type[BaseModel], prefix: str) -> Iterator[_Row]:
    """A body's fields, and those within them."""
    properties = model.model_json_schema()["properties"]
    for own_name, field in model.model_fields.items():
        name = field.alias or own_name
        schema = properties[name]
        kind = kind_of(field)
        yield _Row(f"`{prefix}{name}`", _values(schema) or "null", _outcome(kind), schema["description"])
        nested, brackets = _nested(field.annotation)
        if nested and kind is None:
            yield from _rows(nested, f"{prefix}{name}{brackets}.")


def _outcome(kind: Kind | None) -> str:
    match kind:
        case WithoutEffect():
            silent = ", ".join(_code(value) for value in kind.silent)
            return "taken with a warning" + (f", except {silent}" if silent else "")
        case NotSupported():
            return "refused" + (" otherwise" if kind.harmless else "")
        case None:
            return "obeyed"


def _nested(annotation: Any) -> tuple[type[BaseModel] | None, str]:
    """The body that a field holds, and `[]` where it holds a list of them."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, ""
    for part in get_args(annotation):
        model, brackets = _nested(part)
        if model:
            return model, "[]" if get_origin(annotation) is list else brackets
    return None, ""


def _values(schema: dict[str, Any]) -> str:
    """What JSON schema says of a value, in words; null, which every optional field takes, goes unmentioned."""
    if "anyOf" in schema:
        return " or ".join(_values(option) for option in schema["anyOf"] if option.get("type") != "null")
    if "enum" in schema:
        return ", ".join(_code(value) for value in schema["enum"] if value is not None)
    if "const" in schema:
        return _code(schema["const"])
    match schema.get("type", "object"):
        case "string":
            return "string" + _bounds(schema, "minLength", "maxLength", " characters")
        case "array":
            return f"list of {_plural(schema['items'])}" + _bounds(schema, "minItems", "maxItems", "")
        case "object":
            return "object" + _bounds(schema, "minProperties", "maxProperties", " entries")
        case "integer":
            return "whole number" + _bounds(schema, "minimum", "maximum", "")
        case "number":
            above = f" above {schema['exclusiveMinimum']:g}" if "exclusiveMinimum" in schema else ""
            return "number" + above + _bounds(schema, "minimum", "maximum", "")
    return "true, false"


def _plural(schema: dict[str, Any]) -> str:
    return {"string": "strings", "integer": "whole numbers", "array": "lists"}.get(schema.get("type", ""), "objects")


def _bounds(schema: dict[str, Any], least: str, most: str, unit: str) -> str:
    low, high = (_shown(schema[bound]) if bound in schema else "" for bound in (least, most))
    if low and high:
        return f", {low} to {high}{unit}"
    if low or high:
        return f", at least {low}{unit}" if low else f", at most {high}{unit}"
    return ""


def _shown(number: float) -> str:
    """The number; the ends of 64 and 32 bits as powers of two."""
    for bits in (63, 31):
        if number in (2**bits - 1, -(2**bits)):
            return f"2^{bits} - 1" if number > 0 else f"-2^{bits}"
    return f"{number:,}" if isinstance(number, int) else f"{number:g}"


def _code(value: Any) -> str:
    return f"`{json.dumps(value)}`"


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text()))
