"""Which JSON schemas a call may ask for: plain ones, whose grammar is as small as they look.

What is left out, references and patterns first of all, can make a grammar compiler run for minutes, fill the memory or
end the engine's process.
"""

import json
from typing import Any

MAX_CHARACTERS = 32_768
MAX_DEPTH = 16
MAX_NODES = 512
MAX_COUNT = 10_000
"""The greatest bound of characters in a string or of entries in an array."""

_KEYWORDS = {
    "title": str,
    "description": str,
    "type": str,
    "properties": dict,
    "required": list,
    "additionalProperties": bool,
    "items": dict,
    "anyOf": list,
    "enum": list,
    "const": object,
    "minLength": int,
    "maxLength": int,
    "minItems": int,
    "maxItems": int,
}
_TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")
_SCALARS = (str, int, float, bool, type(None))


def problem(schema: str) -> str | None:
    """Why a schema is refused, or None."""
    if len(schema) > MAX_CHARACTERS:
        return f"a JSON schema has at most {MAX_CHARACTERS} characters, not {len(schema)}"
    try:
        parsed = json.loads(schema, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        return f"json_schema is not JSON: {error}"
    nodes = [(parsed, 1)]
    for node, depth in nodes:
        if depth > MAX_DEPTH or len(nodes) > MAX_NODES:
            return f"a JSON schema has at most {MAX_NODES} parts, {MAX_DEPTH} deep"
        wrong = _problem_of(node)
        if wrong:
            return wrong
        parts = (*node.get("properties", {}).values(), *node.get("anyOf", ()), *filter(None, [node.get("items")]))
        nodes.extend((part, depth + 1) for part in parts)
    return None


def _problem_of(node: Any) -> str | None:
    if not isinstance(node, dict):
        return "every part of json_schema must be a JSON object"
    for keyword, value in node.items():
        kind = _KEYWORDS.get(keyword)
        if kind is None:
            return f"json_schema may not use {keyword[:64]!r}, only {', '.join(_KEYWORDS)}"
        if not isinstance(value, kind) or (kind is int and not _is_count(value)):
            range_ = f" in [0, {MAX_COUNT}]" if kind is int else ""
            return f"{keyword} in json_schema must be a JSON value of type {kind.__name__}{range_}"
    if node.get("type", "null") not in _TYPES:
        return f"type in json_schema must be one of {', '.join(_TYPES)}"
    for low, high in (("minLength", "maxLength"), ("minItems", "maxItems")):
        if node.get(low, 0) > node.get(high, MAX_COUNT):
            return f"{low} in json_schema exceeds {high}"
    if not all(isinstance(name, str) for name in node.get("required", ())):
        return "required in json_schema must list names"
    values = [*node.get("enum", ()), node.get("const")]
    if len(values) > MAX_NODES or not all(isinstance(value, _SCALARS) for value in values):
        return f"enum and const in json_schema take at most {MAX_NODES} strings, numbers, booleans and nulls"
    if [] in (node.get("enum"), node.get("anyOf")):
        return "enum and anyOf in json_schema must not be empty"
    return None


def _is_count(value: Any) -> bool:
    return not isinstance(value, bool) and 0 <= value <= MAX_COUNT


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
