"""Connections that never finish their headers, and those that do not read their answer."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from services.gateway.edge.protocol import GatewayProtocol, protocol_with


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


@pytest.fixture
async def streaming() -> AsyncIterator[tuple[int, asyncio.Event]]:
    """The port of a server whose answer has no end, and whether the application has been told that its client left."""
    left = asyncio.Event()

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        async def told() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            left.set()

        telling = asyncio.ensure_future(told())
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while not left.is_set():
            await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
            await asyncio.sleep(0)
        await telling

    config = uvicorn.Config(endless, lifespan="off", log_config=None)
    state = ServerState()
    protocol = protocol_with(send_seconds=1.5)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: protocol(config, state, {}), "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1], left
    server.close()


async def test_who_reads_nothing_is_hung_up_on(streaming: tuple[int, asyncio.Event]) -> None:
    port, left = streaming
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        await asyncio.wait_for(left.wait(), 20)


async def test_who_reads_slowly_is_not(streaming: tuple[int, asyncio.Event]) -> None:
    port, left = streaming
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    for _ in range(12):
        await asyncio.sleep(0.2)
        await reader.readexactly(1_000_000)
    assert not left.is_set()
    writer.close()
    await asyncio.wait_for(left.wait(), 20)
