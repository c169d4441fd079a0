"""The application without Redis: everything that is refused, and the shape of refusals."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.gateway.app import create_app
from services.gateway.backends import Backends
from services.gateway.failures import response_of
from services.gateway.settings import GatewaySettings
from shared import errors
from shared.presence import Presence
from shared.records import Record
from shared.store import Store

URL = "redis://127.0.0.1:1/0"
CHAT = "/v1/chat/completions"
BODY: dict[str, Any] = {"model": "darwin", "messages": [{"role": "user", "content": "Why?"}]}


class Refusing(Store):
    """Says by 409 that a request was accepted."""

    async def create(self, record: Record, *_: object) -> Record:
        raise errors.Conflict("accepted")


class Complete(Presence):
    """Nothing is away."""

    async def away(self) -> list[str]:
        return []


def app_with(store: Store, **fields: Any) -> FastAPI:
    settings = GatewaySettings(redis_url=URL, **fields)
    return create_app(settings, replace(Backends.of(settings), store=store, presence=Complete(URL)))


@pytest.fixture(scope="module")
def app() -> FastAPI:
    return app_with(Refusing(URL, ttl_s=60), max_body_bytes=2048, max_body_seconds=0.2)


@pytest.fixture
async def http(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        yield http


def shaped(response: httpx.Response, status: int, param: str | None = None, code: str | None = None) -> str:
    """Checks the shape of a refusal; its message."""
    body = response.json()
    assert response.status_code == status, body
    assert set(body) == {"error"}
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert body["error"]["param"] == param
    assert code is None or body["error"]["code"] == code
    assert body["error"]["type"] == ("server_error" if status >= 500 else "invalid_request_error")
    assert response.headers["x-request-id"].startswith("req_")
    message: str = body["error"]["message"]
    assert message
    return message


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"tools": []}, "tools"),
    ({"tool_choice": "none"}, "tool_choice"),
    ({"functions": []}, "functions"),
    ({"logprobs": True}, "logprobs"),
    ({"top_logprobs": 2}, "top_logprobs"),
    ({"logit_bias": {"1": 2}}, "logit_bias"),
    ({"presence_penalty": 0.1}, "presence_penalty"),
    ({"frequency_penalty": -0.1}, "frequency_penalty"),
    ({"response_format": {"type": "json_object"}}, "response_format.type"),
    ({"modalities": ["audio"]}, "modalities.0"),
    ({"service_tier": "flex"}, "service_tier"),
    ({"store": True}, "store"),
    ({"reasoning_effort": "low"}, "reasoning_effort"),
    ({"unheard_of": 1}, "unheard_of"),
    ({"unheard_of": None}, "unheard_of"),
    ({"top_k": 5}, "top_k"),
    ({"temperature": 2.1}, "temperature"),
    ({"temperature": "0.5"}, "temperature"),
    ({"temperature": True}, "temperature"),
    ({"top_p": 0}, "top_p"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"max_tokens": 5.0}, "max_tokens"),
    ({"max_tokens": 5000}, "max_tokens"),
    ({"seed": -1}, "seed"),
    ({"seed": 2**63}, "seed"),
    ({"stop": ["a"] * 5}, "stop"),
    ({"stop": [""]}, "stop.0"),
    ({"stop": 5}, "stop"),
    ({"n": 0}, "n"),
    ({"n": 7}, "n"),
    ({"stream": "yes"}, "stream"),
    ({"store": 0}, "store"),
    ({"logprobs": 0.0}, "logprobs"),
    ({"stream_options": {"include_usage": True}}, "stream_options"),
    ({"stream": True, "stream_options": {"x": 1}}, "stream_options.x"),
    ({"user": "x" * 257}, "user"),
    ({"user": "\ud800"}, "user"),
    ({"metadata": {str(i): "" for i in range(17)}}, "metadata"),
    ({"metadata": {"x" * 65: ""}}, "metadata." + "x" * 65),
    ({"metadata": {"x": "y" * 513}}, "metadata.x"),
    ({"metadata": {"x": 1}}, "metadata.x"),
    ({"model": 1}, "model"),
    ({"messages": []}, "messages"),
    ({"messages": "Why?"}, "messages"),
    ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role"),
    ({"messages": [{"role": "user"}]}, "messages.0.content"),
    ({"messages": [{"role": "user", "content": None}]}, "messages.0.content"),
    ({"messages": [{"role": "user", "content": "a\ud800"}]}, "messages.0.content.0.text"),
    ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages.0.content.0.type"),
    ({"messages": [{"role": "user", "content": "x", "name": "Ann"}]}, "messages.0.name"),
    ({"messages": [{"role": "assistant", "content": "x", "tool_calls": []}]}, "messages.0.tool_calls"),
    ({"messages": [{"role": "assistant", "content": "x"}]}, "messages.0.role"),
    ({"darwin": {"xyz": 1}}, "darwin.xyz"),
    ({"darwin": {"cycles": 9}}, "darwin.cycles"),
    ({"darwin": {"cycles": 0}}, "darwin.cycles"),
    ({"darwin": {"mutants": 33}}, "darwin.mutants"),
    ({"darwin": {"period": 0}}, "darwin.period"),
    ({"darwin": {"survivors": 5}}, "darwin.survivors"),
    ({"darwin": {"lookahead": 513}}, "darwin.lookahead"),
    ({"darwin": {"max_generated_tokens": 0}}, "darwin.max_generated_tokens"),
    ({"darwin": {"max_reward_calls": 0}}, "darwin.max_reward_calls"),
    ({"darwin": {"deadline_ms": 99}}, "darwin.deadline_ms"),
    ({"darwin": {"profile": "../x"}}, "darwin.profile"),
    ({"darwin": []}, "darwin"),
]


@pytest.mark.parametrize(("fields", "param"), REFUSED)
async def test_refuses_naming_the_field(http: httpx.AsyncClient, fields: dict[str, Any], param: str) -> None:
    content = json.dumps(BODY | fields)
    response = await http.post(CHAT, content=content, headers={"content-type": "application/json"})
    message = shaped(response, 400, param)
    assert param.rpartition(".")[2] in message or param in message


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": None, "tool_choice": None, "functions": None, "logit_bias": None, "top_logprobs": None},
        {"logprobs": False, "presence_penalty": 0, "frequency_penalty": 0.0, "store": False},
        {"response_format": {"type": "text"}, "modalities": ["text"], "service_tier": "auto"},
        {"darwin": None, "metadata": None, "stop": None, "seed": None, "n": None, "user": None, "temperature": None},
        {"stop": "x", "stream": False, "stream_options": None},
        {"stream": True, "stream_options": {"include_usage": False, "include_obfuscation": False}},
    ],
)
async def test_accepts_what_changes_nothing(http: httpx.AsyncClient, fields: dict[str, Any]) -> None:
    assert shaped(await http.post(CHAT, json=BODY | fields), 409) == "accepted"


async def test_evolutions_do_not_stream(http: httpx.AsyncClient) -> None:
    shaped(await http.post("/v1/evolutions", json=BODY | {"stream": True}), 400, "stream")
    shaped(await http.post("/v1/evolutions", json=BODY | {"stream_options": {}}), 400, "stream_options")
    assert shaped(await http.post("/v1/evolutions", json=BODY | {"stream": False}), 409) == "accepted"


def with_field(name: str, value: str) -> bytes:
    """A body with this field as its last."""
    return f'{json.dumps(BODY)[:-1]}, "{name}": {value}}}'.encode()


@pytest.mark.parametrize(
    ("content", "param", "code"),
    [
        (b"", None, "missing_required_parameter"),
        (b"{", None, "invalid_json"),
        (b'{"model": }', None, "invalid_json"),
        (b"\xff\xfe{}", None, "invalid_json"),
        (b"[" * 2000, None, "invalid_json"),
        (b'{"seed": ' + b"9" * 2000 + b"}", "model", None),
        (b"[]", None, "invalid_value"),
        (b"null", None, "missing_required_parameter"),
        (b'"\\ud800"', None, "invalid_value"),
        (b'{"\\ud800": 1}', None, "invalid_value"),
        (b'{"\\u0000": 1, "model": "darwin", "messages": [{"role": "user", "content": "x"}]}', "\0", None),
        (b"[" * 950 + b"]" * 950, None, None),
        (with_field("messages", "[" * 900 + "]" * 900), None, "invalid_json"),
        (with_field("temperature", "NaN"), None, "invalid_json"),
        (with_field("temperature", "-Infinity"), None, "invalid_json"),
        (with_field("temperature", "1e400"), "temperature", "invalid_value"),
        (with_field("max_tokens", "1e400"), "max_tokens", "invalid_value"),
        (with_field("max_tokens", "9" * 1900), "max_tokens", None),
        (with_field("n", "9" * 1900), "n", None),
        (with_field("seed", "-" + "9" * 1900), "seed", None),
        (with_field("user", '"a\x01"'), None, "invalid_json"),
        (with_field("user", '"a\0"'), None, "invalid_json"),
        (with_field("user", '"\\ud800"'), "user", "invalid_value"),
        (b'{"model": "\\ud800", "messages": []}', "model", None),
        (with_field("metadata", '{"\\udfff": ""}'), "metadata.���", None),
        (with_field("model", '"sample"'), None, "invalid_json"),
        (with_field("darwin", '{"cycles": 1, "cycles": 2}'), None, "invalid_json"),
        (b"\xef\xbb\xbf{}", None, "invalid_json"),
        (json.dumps(BODY).encode("utf-16"), None, "invalid_json"),
        (json.dumps(BODY | {"darwin": {"x" * 1000: 1}}).encode(), ("darwin." + "x" * 1000)[:200], None),
    ],
)
async def test_broken_bodies(http: httpx.AsyncClient, content: bytes, param: str | None, code: str | None) -> None:
    response = await http.post(CHAT, content=content, headers={"content-type": "application/json"})
    shaped(response, 400, param, code)


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded", "application/jsonx"])
async def test_other_content_types(http: httpx.AsyncClient, kind: str | None) -> None:
    headers = {"content-type": kind} if kind else {}
    shaped(await http.post(CHAT, content=json.dumps(BODY), headers=headers), 415, None, "unsupported_media_type")


async def test_too_large_bodies(http: httpx.AsyncClient) -> None:
    large = BODY | {"user": "x" * 3000}
    shaped(await http.post(CHAT, json=large), 413, None, "request_too_large")

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(30):
            yield b" " * 100

    shaped(await http.post(CHAT, content=pieces(), headers={"content-type": "application/json"}), 413)


async def test_unknown_routes_and_methods(http: httpx.AsyncClient) -> None:
    assert "/v1/completions" in shaped(await http.post("/v1/completions", json={}), 404, None, "not_found")
    refused = await http.get(CHAT)
    shaped(refused, 405, None, "method_not_allowed")
    assert refused.headers["allow"] == "POST"


async def test_unknown_model(http: httpx.AsyncClient) -> None:
    shaped(await http.post(CHAT, json=BODY | {"model": "gpt-4o"}), 404, "model", "model_not_found")
    shaped(await http.get("/v1/models/gpt-4o"), 404, "model", "model_not_found")


@pytest.mark.parametrize("kind", errors.leaves())
def test_every_error_of_the_tree_has_openais_shape(kind: type[errors.DarwinError]) -> None:
    response = response_of(kind("what to do", field="some.field"))
    assert response.status_code == kind.http_status
    detail = json.loads(bytes(response.body))["error"]
    assert (detail["message"], detail["param"]) == ("what to do", "some.field")
    assert detail["code"]
    assert response.headers["x-should-retry"] == ("true" if kind.retryable else "false")
    assert ("retry-after" in response.headers) == kind.retryable


async def test_defects_keep_their_secrets(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Store):
        async def create(self, record: Record, *_: object) -> Record:
            raise RuntimeError("password")

    app = app_with(Broken(URL, ttl_s=60))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://localhost") as http:
        response = await http.post(CHAT, json=BODY)
    assert "password" not in shaped(response, 500, None, "internal")
    assert "password" in caplog.text
    assert response.headers["x-request-id"] in caplog.text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(), max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    ["messages", "model", "darwin", "stop", "n", "metadata", "temperature", "stream_options", "tools", "\ud800", "user"]
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fields=st.dictionaries(FIELDS, JSON, max_size=3))
async def test_no_body_is_a_defect(http: httpx.AsyncClient, fields: dict[str, Any]) -> None:
    content = json.dumps(BODY | fields)
    response = await http.post(CHAT, content=content, headers={"content-type": "application/json"})
    assert response.status_code in (400, 404, 409, 413)
    assert response.json()["error"]["message"]


def test_process_stays_light() -> None:
    program = """
import sys
import psutil
import services.gateway.__main__
from services.gateway.app import create_app
from services.gateway.backends import Backends
from services.gateway.settings import GatewaySettings
settings = GatewaySettings(redis_url="redis://127.0.0.1:1/0")
create_app(settings, Backends.of(settings)).openapi()
services = {name.split(".")[1] for name in sys.modules if name.startswith("services.")}
assert services == {"gateway"}, services
heavy = {"torch", "grpc", "transformers", "numpy"} & set(sys.modules)
assert not heavy, heavy
print(psutil.Process().memory_info().rss / 2**20)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    rss = float(done.stdout)
    print(f"gateway RSS once built: {rss:.0f} MiB")
    assert rss < 150
