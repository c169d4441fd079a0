import json
from typing import Any

import pytest

from services.mutation.operators import JSON_SCHEMA
from shared.text.schema_bounds import MAX_NODES, problem


def nested(keyword: str, depth: int) -> Any:
    schema: Any = {"type": "string"}
    for _ in range(depth):
        inner = {"items": schema} if keyword == "items" else {"properties": {"a": schema}}
        schema = {"type": "array", **inner}
    return schema


@pytest.mark.parametrize(
    "schema",
    [
        json.loads(JSON_SCHEMA),
        {},
        {"type": "array", "items": {"anyOf": [{"type": "null"}, {"enum": [1, "a", None]}]}, "maxItems": 3},
        {"$defs": {"a": {"type": "string", "pattern": "^a"}}, "$ref": "#/$defs/a"},
        nested("items", 10),
    ],
)
def test_schemas_may_be_asked_for(schema: Any) -> None:
    assert problem(json.dumps(schema)) is None


@pytest.mark.parametrize(
    "schema",
    [
        [],
        "x",
        {"type": "string", "maxLength": 10**9},
        {"type": "array", "minItems": 10**9},
        {"minProperties": 1e300},
        nested("items", 900),
        nested("properties", 400),
        {"properties": {str(i): {} for i in range(MAX_NODES + 1)}},
    ],
    ids=lambda schema: json.dumps(schema)[:40],
)
def test_what_is_no_schema_or_too_large_is_refused(schema: Any) -> None:
    assert problem(json.dumps(schema))


@pytest.mark.parametrize("text", ["", "{", "NaN", '{"const": Infinity}', "[" * 30_000, "9" * 10_000, "x" * 40_000])
def test_what_is_no_json_is_refused(text: str) -> None:
    assert problem(text)
