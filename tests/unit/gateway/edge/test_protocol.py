"""Connections that never finish their headers."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import uvicorn
from starlette.responses import PlainTextResponse
from uvicorn.server import ServerState

from services.gateway.edge.protocol import GatewayProtocol


class Hasty(GatewayProtocol):
    head_seconds = 0.3


@pytest.fixture
async def port() -> AsyncIterator[int]:
    config = uvicorn.Config(PlainTextResponse("hello"), lifespan="off", log_config=None)
    state = ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Hasty(config, state, {}), "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


@pytest.mark.parametrize("sent", [b"", b"G", b"GET / HTTP/1.1\r\nhost: x\r\nx: "])
async def test_unfinished_headers_are_dropped(port: int, sent: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    assert await asyncio.wait_for(reader.read(), 20) == b""
    writer.close()


async def test_dripping_headers_gain_no_time(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    ended = asyncio.ensure_future(reader.read())
    for letter in b"GET / HTTP/1.1":
        writer.write(bytes([letter]))
        await asyncio.wait({ended}, timeout=0.05)
    assert ended.done()
    writer.close()


async def test_kept_alive_connections_may_be_silent_between_calls(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(2):
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(5) == b"hello"
        await asyncio.sleep(0.5)
    writer.write(b"GET / HT")
    assert await asyncio.wait_for(reader.read(), 20) == b""
    writer.close()
