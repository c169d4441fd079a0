"""How `response_format` and `structured_outputs` become what every response must be."""

import json
from typing import Any

import pytest

from services.gateway.api.field_kinds import warnings_of
from services.gateway.api.formats import response_format
from services.gateway.api.requests import ChatCompletionRequest
from shared.records.formats import ResponseFormat

SCHEMA = {"type": "object", "properties": {"café": {"type": "string"}}}
TEXT = json.dumps(SCHEMA, ensure_ascii=False, separators=(",", ":"))


def body(**fields: Any) -> ChatCompletionRequest:
    return ChatCompletionRequest.model_validate(
        {"model": "darwin", "messages": [{"role": "user", "content": "Why?"}], **fields}
    )


def asked(**fields: Any) -> ResponseFormat | None:
    request = body(**fields)
    return response_format(request.response_format, request.structured_outputs)


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({}, None),
        ({"response_format": None, "structured_outputs": None}, None),
        ({"response_format": {"type": "text"}}, None),
        ({"structured_outputs": {}}, None),
        ({"structured_outputs": {"json_object": False}}, None),
        ({"response_format": {"type": "json_object"}}, ResponseFormat("json_object")),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "a", "schema": SCHEMA, "strict": True},
                }
            },
            ResponseFormat("json_schema", TEXT),
        ),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "strict": None}}},
            ResponseFormat("json_object"),
        ),
        ({"structured_outputs": {"json": SCHEMA}}, ResponseFormat("json_schema", TEXT, "structured_outputs.json")),
        ({"structured_outputs": {"json": TEXT}}, ResponseFormat("json_schema", TEXT, "structured_outputs.json")),
        ({"structured_outputs": {"regex": "a+"}}, ResponseFormat("regex", "a+", "structured_outputs.regex")),
        (
            {"structured_outputs": {"choice": ["a", "b"]}},
            ResponseFormat("choice", '["a","b"]', "structured_outputs.choice"),
        ),
        (
            {"structured_outputs": {"grammar": 'start: "a"'}},
            ResponseFormat("grammar", 'start: "a"', "structured_outputs.grammar"),
        ),
        (
            {"structured_outputs": {"json_object": True}},
            ResponseFormat("json_object", "", "structured_outputs.json_object"),
        ),
    ],
)
def test_what_responses_must_be(fields: dict[str, Any], wanted: ResponseFormat | None) -> None:
    assert asked(**fields) == wanted


def test_a_description_is_taken_with_a_warning() -> None:
    schema = {"name": "a", "schema": SCHEMA, "description": "What it is for."}
    warned = warnings_of(body(response_format={"type": "json_schema", "json_schema": schema}))
    assert warned == ("response_format.json_schema.description is taken without effect",)
