"""What a JSON schema is checked for before a grammar is made of it."""

import json
from typing import Any

MAX_DEPTH = 64
MAX_NODES = 8192
MAX_COUNT = 10_000
"""The greatest bound of characters, entries or properties; larger ones make a grammar of that many parts."""

_COUNTS = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")


def problem(schema: str) -> str | None:
    """Why a schema is refused, or None. Whatever a grammar cannot say is found by its compiler later."""
    try:
        parsed = json.loads(schema, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        return f"it is not JSON: {error}"
    if not isinstance(parsed, dict):
        return "a schema is a JSON object"
    nodes: list[tuple[Any, int]] = [(parsed, 1)]
    for node, depth in nodes:
        if depth > MAX_DEPTH or len(nodes) > MAX_NODES:
            return f"a schema has at most {MAX_NODES} parts, {MAX_DEPTH} deep"
        if isinstance(node, dict):
            for name in _COUNTS:
                count = node.get(name)
                if isinstance(count, int | float) and count > MAX_COUNT:
                    return f"{name} is at most {MAX_COUNT}"
            nodes.extend((part, depth + 1) for part in node.values())
        elif isinstance(node, list):
            nodes.extend((part, depth + 1) for part in node)
    return None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
