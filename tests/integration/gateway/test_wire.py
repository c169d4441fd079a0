"""Bytes that no HTTP client sends: each is refused in the shape of every other failure, and the process goes on."""

import asyncio
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.gateway.fake_orchestrator import FakeOrchestrator
from tests.integration.gateway.running import BODY, Gateway

CHAT = "/v1/chat/completions"
JSON = b"content-type: application/json\r\n"
CONTENT = json.dumps(BODY).encode()


@pytest.fixture(scope="module")
def hasty(
    redis_url: str, orchestrator: FakeOrchestrator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """A gateway that waits only briefly for bodies."""
    with Gateway(redis_url, tmp_path_factory.mktemp("hasty"), DARWIN_GATEWAY_MAX_BODY_SECONDS="0.5") as running:
        yield running


async def exchange(gateway: Gateway, raw: bytes, end: bool = False) -> tuple[int, dict[str, Any]]:
    """Status and body of what the gateway answers to these bytes."""
    reader, writer = await asyncio.open_connection(*gateway.url.removeprefix("http://").split(":"), limit=2**20)
    writer.write(raw)
    if end:
        writer.write_eof()
    head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)).decode("latin-1").lower()
    length = head.partition("content-length: ")[2].partition("\r\n")[0]
    body = await reader.readexactly(int(length))
    writer.close()
    return int(head.split()[1]), json.loads(body)


async def is_alive(gateway: Gateway) -> None:
    async with httpx.AsyncClient() as http:
        assert (await http.get(f"{gateway.url}/healthz")).status_code == 200


def request(head: bytes, body: bytes = CONTENT, path: bytes = CHAT.encode(), method: bytes = b"POST") -> bytes:
    return method + b" " + path + b" HTTP/1.1\r\nhost: localhost\r\n" + head + b"\r\n" + body


def length(number: int) -> bytes:
    return f"content-length: {number}\r\n".encode()


WRONG = {
    "two lengths": (request(JSON + length(5) + length(9)), 400, "invalid_http"),
    "negative length": (request(JSON + b"content-length: -1\r\n"), 400, "invalid_http"),
    "length in words": (request(JSON + b"content-length: ten\r\n"), 400, "invalid_http"),
    "huge length": (request(JSON + b"content-length: " + b"9" * 19 + b"\r\n"), 413, "request_too_large"),
    "length of 100 digits": (request(JSON + b"content-length: " + b"9" * 100 + b"\r\n"), 400, "invalid_http"),
    "no length": (request(JSON), 400, "missing_required_parameter"),
    "bad chunk": (request(JSON + b"transfer-encoding: chunked\r\n", b"zz\r\n"), 400, "invalid_http"),
    "unknown encoding": (request(JSON + b"transfer-encoding: gzip\r\n"), 400, "invalid_http"),
    "no type": (request(length(len(CONTENT))), 415, "unsupported_media_type"),
    "two types": (
        request(b"content-type: text/plain\r\n" + JSON + length(len(CONTENT))),
        415,
        "unsupported_media_type",
    ),
    "not http": (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400, "invalid_http"),
    "header without colon": (request(b"nonsense\r\n"), 400, "invalid_http"),
    "control character in a header": (request(b"x: a\x00b\r\n"), 400, "invalid_http"),
    "long header": (request(b"x: " + b"a" * 40_000 + b"\r\n"), 431, "headers_too_large"),
    "endless header": (request(b"x: " + b"a" * 3_000_000), 431, "headers_too_large"),
    "many headers": (request(b"x: a\r\n" * 20_000), 431, "headers_too_large"),
    "long query": (request(b"", b"", b"/v1/models?" + b"a" * 40_000, b"GET"), 431, "headers_too_large"),
    "bytes in the path": (request(b"", b"", b"/v1/models/\xff\xfe", b"GET"), 400, "invalid_http"),
    "escaped bytes in the path": (request(b"", b"", b"/v1/models/%ff%00%ed%a0%80", b"GET"), 404, "model_not_found"),
    "escaped bytes in an id": (request(b"", b"", b"/v1/evolutions/%ff%00", b"GET"), 404, "not_found"),
    "no host": (b"GET /v1/models HTTP/1.0\r\n\r\n", 421, "misdirected_request"),
    "two hosts": (request(b"host: evil.example\r\n", b"", b"/v1/models", b"GET"), 400, "invalid_http"),
    "unknown method": (request(b"", b"", b"/v1/models", b"BREW"), 405, "method_not_allowed"),
    "slow body": (request(JSON + length(len(CONTENT)), CONTENT[:-1]), 408, "request_timeout"),
}


@pytest.mark.parametrize("name", WRONG)
async def test_wrong_bytes(hasty: Gateway, name: str) -> None:
    raw, status, code = WRONG[name]
    found, body = await exchange(hasty, raw)
    assert (found, body["error"]["code"]) == (status, code)
    assert set(body["error"]) == {"message", "type", "param", "code", "darwin"}
    await is_alive(hasty)


async def test_a_long_wait_after_the_body_is_no_slow_body(hasty: Gateway) -> None:
    async with httpx.AsyncClient(base_url=hasty.url) as http:
        assert (await http.post(CHAT, json=BODY | {"user": "wait=1"})).status_code == 200


async def test_a_body_may_come_in_pieces(hasty: Gateway) -> None:
    async def pieces() -> Any:
        for byte in CONTENT:
            yield bytes([byte])

    async with httpx.AsyncClient(base_url=hasty.url) as http:
        response = await http.post(CHAT, content=pieces(), headers={"content-type": "application/json"})
    assert response.status_code == 200


async def test_a_caller_that_leaves_within_its_body_is_no_defect(hasty: Gateway, tmp_path: Path) -> None:
    _, writer = await asyncio.open_connection(*hasty.url.removeprefix("http://").split(":"))
    writer.write(request(JSON + length(1000), CONTENT))
    await writer.drain()
    writer.close()
    await asyncio.sleep(0.3)
    await is_alive(hasty)


async def test_head_has_no_body(hasty: Gateway) -> None:
    reader, writer = await asyncio.open_connection(*hasty.url.removeprefix("http://").split(":"))
    for target in (b"/v1/models", b"/v1/models/gpt-4o", b"/health"):
        writer.write(b"HEAD " + target + b" HTTP/1.1\r\nhost: localhost\r\n\r\n")
        head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)).decode()
        assert head.split()[1] == ("404" if target.endswith(b"4o") else "200")
        assert int(head.lower().partition("content-length: ")[2].split()[0]) > 0
    writer.write(b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
    assert (await asyncio.wait_for(reader.read(), 20)).startswith(b"HTTP/1.1 200")
    writer.close()


async def test_a_packed_body(hasty: Gateway) -> None:
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    async with httpx.AsyncClient(base_url=hasty.url) as http:
        for path in (CHAT, f"{CHAT}/"):
            assert (await http.post(path, content=gzip.compress(CONTENT), headers=headers)).status_code == 200
