"""Bodies that cannot be read: broken, of another type, too large."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.unit.gateway.apps import BODY, CHAT, shaped


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


@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fields=st.dictionaries(FIELDS, JSON, max_size=3))
async def test_no_body_is_a_defect(http: httpx.AsyncClient, fields: dict[str, Any]) -> None:
    content = json.dumps(BODY | fields)
    response = await http.post(CHAT, content=content, headers={"content-type": "application/json"})
    assert response.status_code in (400, 404, 409, 413)
    assert response.json()["error"]["message"]
