"""Bodies with a content-encoding."""

import gzip
import json
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from starlette.types import Message

from services.gateway.edge.body import UnpackedBody
from tests.unit.gateway.apps import BODY, CHAT, URL, Refusing, app_with, shaped

CONTENT = json.dumps(BODY).encode()
JSON = {"content-type": "application/json"}
Pack = Callable[[bytes], bytes]


def encoded(encoding: str) -> dict[str, str]:
    return JSON | {"content-encoding": encoding}


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("gzip", gzip.compress), ("GZIP", gzip.compress), ("x-gzip", gzip.compress), ("deflate", zlib.compress)],
)
async def test_packed_bodies_are_unpacked(http: httpx.AsyncClient, encoding: str, pack: Pack) -> None:
    assert shaped(await http.post(CHAT, content=pack(CONTENT), headers=encoded(encoding)), 409) == "accepted"


async def test_a_packed_body_may_come_in_pieces(http: httpx.AsyncClient) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for byte in gzip.compress(CONTENT):
            yield bytes([byte])

    assert shaped(await http.post(CHAT, content=pieces(), headers=encoded("gzip")), 409) == "accepted"


async def test_a_body_may_be_declared_as_it_is(http: httpx.AsyncClient) -> None:
    assert shaped(await http.post(CHAT, content=CONTENT, headers=encoded("identity")), 409) == "accepted"


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "no such"])
async def test_unknown_encodings_are_refused_with_those_that_are_known(http: httpx.AsyncClient, encoding: str) -> None:
    refused = await http.post(CHAT, content=CONTENT, headers=encoded(encoding))
    message = shaped(refused, 415, None, "unsupported_media_type")
    assert encoding in message
    assert "gzip" in message
    assert "deflate" in message
    assert refused.headers["accept-encoding"] == "gzip, deflate"


@pytest.mark.parametrize(
    "content",
    [CONTENT, gzip.compress(CONTENT)[:-1], gzip.compress(CONTENT) + b"x", b"\x1f\x8b" + b"\xff" * 50],
    ids=["plain", "cut", "followed", "broken"],
)
async def test_broken_bodies_are_refused(http: httpx.AsyncClient, content: bytes) -> None:
    response = await http.post(CHAT, content=content, headers=encoded("gzip"))
    message = shaped(response, 400, None, "invalid_content_encoding")
    assert "is not gzip" in message


async def test_an_encoding_without_a_body_means_nothing(http: httpx.AsyncClient) -> None:
    for encoding in ("gzip", "br"):
        assert (await http.get("/v1/models", headers=encoded(encoding))).status_code == 200
        shaped(await http.post(CHAT, headers=encoded(encoding)), 400, None, "missing_required_parameter")


@pytest.mark.parametrize("extra", [0, 1])
async def test_the_limit_holds_for_what_comes_out(http: httpx.AsyncClient, extra: int) -> None:
    body = CONTENT + b" " * (2048 - len(CONTENT) + extra)
    response = await http.post(CHAT, content=gzip.compress(body), headers=encoded("gzip"))
    message = shaped(response, 413 if extra else 409)
    assert ("2048 bytes once it is unpacked" in message) == bool(extra)


async def test_a_bomb_is_refused_while_it_unpacks() -> None:
    limit = 1024 * 1024
    packer = zlib.compressobj(9, wbits=31)
    zeros = bytes(limit)
    bomb = b"".join(packer.compress(zeros) for _ in range(64)) + packer.flush()
    assert len(bomb) < limit
    app = app_with(Refusing(URL, ttl_s=60), max_body_bytes=limit)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as http:
        await http.get("/healthz")
        tracemalloc.start()
        try:
            response = await http.post(CHAT, content=bomb, headers=encoded("gzip"))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    shaped(response, 413, None, "request_too_large")
    print(f"{len(bomb)} bytes stand for {64 * limit}; at most {peak} bytes were held")
    assert peak < 8 * limit


@pytest.mark.parametrize("size", [3 * 2**20, 3 * 2**20 + 77])
async def test_a_body_is_unpacked_a_megabyte_at_a_time(size: int) -> None:
    content = (b"0123456789" * (size // 10 + 1))[:size]
    parts = iter([(gzip.compress(content), True), (b"", False)])

    async def receive() -> Message:
        body, more = next(parts)
        return {"type": "http.request", "body": body, "more_body": more}

    unpacked = UnpackedBody({"type": "http", "headers": [(b"content-encoding", b"gzip")]}, receive, size)
    pieces, more = [], True
    while more:
        message = await unpacked()
        pieces.append(message["body"])
        more = message["more_body"]
    assert b"".join(pieces) == content
    assert max(map(len, pieces)) == 2**20
