import json
import time
from typing import Any

import pytest

from services.generation.json_schemas import MAX_NODES, problem
from services.mutation.operators import JSON_SCHEMA


def nested(keyword: str, depth: int) -> Any:
    schema: Any = {"type": "string"}
    for _ in range(depth):
        inner = {"items": schema} if keyword == "items" else {"properties": {"a": schema}}
        schema = [schema] if keyword == "list" else {"type": "array", **inner}
    return schema


@pytest.mark.parametrize(
    "schema",
    [
        json.loads(JSON_SCHEMA),
        {},
        {"type": "array", "items": {"anyOf": [{"type": "null"}, {"enum": [1, "a", None]}]}, "maxItems": 3},
        nested("items", 10),
    ],
)
def test_plain_schemas_may_be_asked_for(schema: Any) -> None:
    assert problem(json.dumps(schema)) is None


EVIL = [
    [],
    "x",
    {"$ref": "#"},
    {"properties": {"a": {"$ref": "#/properties/a"}}},
    {"type": "string", "pattern": "((a+)+)+b"},
    {"type": "string", "pattern": "(a{1000}){1000}"},
    {"type": "string", "format": "uri"},
    {"patternProperties": {"(a+)+": {}}},
    {"type": "string", "maxLength": 10**9},
    {"type": "string", "minLength": 5, "maxLength": 2},
    {"type": "array", "minItems": 10**9},
    {"type": "array", "minItems": -1},
    {"type": "array", "minItems": True},
    {"type": ["string", "null"]},
    {"type": "nothing"},
    {"items": []},
    {"properties": {"a": 1}},
    {"required": [1]},
    {"enum": []},
    {"enum": [{"a": 1}]},
    {"enum": list(range(5000))},
    {"anyOf": []},
    {"anyOf": [1]},
    {"not": {}},
    {"allOf": [{}]},
    nested("items", 900),
    nested("properties", 400),
    {"properties": {str(i): {} for i in range(MAX_NODES + 1)}},
]


@pytest.mark.parametrize("schema", EVIL, ids=lambda schema: json.dumps(schema)[:40])
def test_everything_else_is_refused_at_once(schema: Any) -> None:
    began = time.process_time()
    assert problem(json.dumps(schema))
    assert time.process_time() - began < 1


@pytest.mark.parametrize("text", ["", "{", "NaN", '{"const": Infinity}', "[" * 30_000, "9" * 10_000, "x" * 40_000])
def test_what_is_no_json_is_refused(text: str) -> None:
    assert problem(text)
