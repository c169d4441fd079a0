"""Forms that cannot be followed are refused before a request is accepted, and hostile ones harm nobody."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from services.gateway.evolutions.compiler import FormatCompiler
from shared.records.formats import ResponseFormat
from tests.unit.gateway.apps import BODY, CHAT, URL, Refusing, app_with, shaped

NUMBER = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}
ASKED: dict[str, Any] = {"model": "darwin", "input": "Why?"}
IMPOSSIBLE: list[tuple[dict[str, Any], str]] = [
    ({"not": {}}, "not"),
    ({"type": "array", "uniqueItems": True}, "uniqueItems"),
    ({"$ref": "#/$defs/a"}, "does not exist"),
    ({"$ref": "http://127.0.0.1:9/a.json"}, "retriev"),
    ({"type": "string", "pattern": "(?=a)b"}, "look-around"),
    ({"type": "string", "pattern": "("}, "unclosed"),
    ({"type": "integer", "minimum": 5, "maximum": 3}, "greater than"),
    ({"type": "nothing"}, "nothing"),
    ({"type": "string", "maxLength": 10**6}, "maxLength"),
    ({"type": "object", "properties": {"a": False}, "required": ["a"]}, "unsatisfiable"),
]


@pytest.fixture(scope="module")
def app() -> FastAPI:
    return app_with(Refusing(URL, ttl_s=60))


def formatted(schema: dict[str, Any]) -> dict[str, Any]:
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}}


def tool(parameters: dict[str, Any], name: str = "a") -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object"} | parameters}}


@pytest.mark.parametrize(("schema", "why"), IMPOSSIBLE)
async def test_a_schema_that_cannot_be_followed(http: httpx.AsyncClient, schema: dict[str, Any], why: str) -> None:
    for path, body, field in (
        (CHAT, BODY | formatted(schema), "response_format"),
        ("/v1/evolutions", BODY | {"structured_outputs": {"json": schema}}, "structured_outputs.json"),
        (
            "/v1/responses",
            ASKED | {"text": {"format": {"type": "json_schema", "name": "x", "schema": schema}}},
            "text.format",
        ),
    ):
        message = shaped(await http.post(path, json=body), 400, field)
        assert f"the json schema of {field} cannot be followed" in message
        assert why in message


@pytest.mark.parametrize(
    ("kind", "definition"), [("regex", "("), ("regex", "(?<=a)b"), ("grammar", "start: x"), ("grammar", "(" * 60_000)]
)
async def test_a_regex_or_grammar_that_cannot_be_followed(http: httpx.AsyncClient, kind: str, definition: str) -> None:
    refused = await http.post(CHAT, json=BODY | {"structured_outputs": {kind: definition}})
    assert "cannot be followed" in shaped(refused, 400, f"structured_outputs.{kind}")


async def test_parameters_that_a_demanded_call_cannot_follow(http: httpx.AsyncClient) -> None:
    bad, good = tool({"properties": {"x": {"not": {}}}}, "bad"), tool({"properties": {"x": {"type": "string"}}}, "good")
    named = {"type": "function", "function": {"name": "good"}}
    for fields in ({"tool_choice": "required"}, {"response_format": {"type": "json_object"}}):
        message = shaped(await http.post(CHAT, json=BODY | fields | {"tools": [good, bad]}), 400, "tools")
        assert "the parameters of bad cannot be followed" in message
    for fields in ({"tool_choice": named}, {"tool_choice": "auto"}, {"tool_choice": "none"}):
        assert shaped(await http.post(CHAT, json=BODY | fields | {"tools": [good, bad]}), 409) == "accepted"
    many = [tool({"properties": {"x": {"enum": ["y" * 5000]}}}, f"t{number}") for number in range(60)]
    message = shaped(await http.post(CHAT, json=BODY | {"tools": many, "tool_choice": "required"}), 400, "tools")
    assert "together" in message
    assert shaped(await http.post(CHAT, json=BODY | {"tools": many[:30], "tool_choice": "required"}), 409) == "accepted"


async def test_calls_are_free_beside_json_only(http: httpx.AsyncClient) -> None:
    fields = {"tools": [tool({})], "structured_outputs": {"regex": "a+"}}
    shaped(await http.post(CHAT, json=BODY | fields), 400, "structured_outputs.regex")
    for more in ({"tool_choice": "none"}, {"structured_outputs": {"json_object": True}}):
        assert shaped(await http.post(CHAT, json=BODY | fields | more), 409) == "accepted"


async def test_what_can_be_followed_is_accepted(http: httpx.AsyncClient) -> None:
    large = {"enum": [f"value {number}" for number in range(2000)]}
    for fields in (
        formatted(NUMBER),
        formatted({"$defs": {"a": {"type": "array", "items": {"$ref": "#/$defs/a"}}}, "$ref": "#/$defs/a"}),
        formatted(large),
        {"structured_outputs": {"regex": "(a|b)*a(a|b){30}"}},
        {"structured_outputs": {"choice": ["yes", "no"]}},
        {"structured_outputs": {"grammar": 'root ::= "a" root | "b"'}},
        {"tools": [tool(NUMBER)], "tool_choice": "required"},
    ):
        assert shaped(await http.post(CHAT, json=BODY | fields), 409) == "accepted"


async def test_large_ones_leave_room_for_those_after_them() -> None:
    compiler = FormatCompiler()
    for most in (2500, 2501):
        large = {"type": "object", "properties": {f"p{number}": True for number in range(most)}}
        assert await compiler.problem(ResponseFormat("json_schema", json.dumps(large))) is None
    assert compiler._idle.empty()
    await compiler.close()


async def test_a_compiler_that_was_ended_is_replaced() -> None:
    compiler = FormatCompiler()
    assert await compiler.problem(ResponseFormat("regex", "a")) is None
    child = compiler._idle.get_nowait()
    child.kill()
    child.wait()
    compiler._idle.put(child)
    assert await compiler.problem(ResponseFormat("regex", "b")) is None
    await compiler.close()


HOSTILE: dict[str, dict[str, Any]] = {
    "time": {"anyOf": [{"type": "integer", "multipleOf": 9000 + number} for number in range(1000)]},
    "memory": {
        "type": "array",
        "prefixItems": [{"type": "array", "minItems": 10_000, "maxItems": 10_000}] * 900,
        "minItems": 900,
    },
    "stack": {
        "$defs": {
            str(number): {"properties": {"a": {"$ref": f"#/$defs/{(number + 1) % 900}"}}, "required": ["a"]}
            for number in range(900)
        },
        "$ref": "#/$defs/0",
    },
}


@pytest.mark.parametrize("what", HOSTILE)
async def test_what_takes_too_much_is_refused_and_others_go_on(what: str) -> None:
    compiler = FormatCompiler()
    hostile = ResponseFormat("json_schema", json.dumps(HOSTILE[what], separators=(",", ":")))
    asked = asyncio.ensure_future(compiler.problem(hostile))
    turns_of_others = 0
    while not asked.done():
        await asyncio.sleep(0.01)
        turns_of_others += 1
    assert await asked == "it is too complex"
    assert turns_of_others > 10
    assert await compiler.problem(ResponseFormat("json_schema", json.dumps(NUMBER))) is None
    assert await compiler.problem(ResponseFormat("regex", "(")) is not None
    await compiler.close()
