"""A network that misbehaves when it is told to: one TCP proxy per caller and callee, on a thread of their own."""

import asyncio
import random
import socket
import struct
from contextlib import ExitStack, suppress
from typing import Self

from anyio.from_thread import BlockingPortal, start_blocking_portal

_AT_ONCE = 65_536
_RESET = struct.pack("ii", 1, 0)


class Proxy:
    """Between one caller and `target` (host:port).

    May be set at any time: `latency_s`, added each way; `reset_share`, of new connections that are reset at once;
    `stalled`, nothing passes.
    """

    def __init__(self, target: str) -> None:
        self._host, _, self._port = target.rpartition(":")
        self.latency_s = 0.0
        self.reset_share = 0.0
        self.stalled = False
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> str:
        """Listens on a free loopback port; the address."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        return f"{host}:{port}"

    async def reset_all(self) -> None:
        """Every open connection ends with RST, at both ends."""
        for writer in list(self._open):
            _reset(writer)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        await self.reset_all()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if random.random() < self.reset_share:
            _reset(writer)
            return
        try:
            onward = await asyncio.open_connection(self._host, int(self._port))
        except OSError:
            _reset(writer)
            return
        both = {writer, onward[1]}
        self._open |= both
        try:
            await asyncio.gather(self._pass(reader, onward[1]), self._pass(onward[0], writer))
        except OSError:
            for end in both:
                _reset(end)
        finally:
            self._open -= both
            for end in both:
                end.close()

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        clock = asyncio.get_running_loop().time
        chunks: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def deliver() -> None:
            data = b"first"
            while data:
                due, data = await chunks.get()
                await asyncio.sleep(max(0.0, due - clock()))
                while self.stalled:  # noqa: ASYNC110 - set from another thread
                    await asyncio.sleep(0.05)
                sink.write(data) if data else sink.write_eof()
                await sink.drain()

        delivering = asyncio.ensure_future(deliver())
        try:
            data = b"first"
            while data:
                data = await source.read(_AT_ONCE)
                chunks.put_nowait((clock() + self.latency_s, data))
            await delivering
        finally:
            delivering.cancel()


class Network:
    """The proxies of one stack; `route` is what `StackSettings.route` wants."""

    def __init__(self) -> None:
        self._proxies: dict[tuple[str, str], Proxy] = {}
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        self._portal: BlockingPortal = self._exit.enter_context(start_blocking_portal())
        return self

    def __exit__(self, *_: object) -> None:
        for proxy in self._proxies.values():
            self._portal.call(proxy.stop)
        self._exit.close()

    def route(self, caller: str, callee: str, address: str) -> str:
        proxy = self._proxies[caller, callee] = Proxy(address)
        return self._portal.call(proxy.start)

    def between(self, caller: str, callee: str) -> list[Proxy]:
        """The proxies of an edge; "orchestrator" is every worker, and a stage each of its replicas."""
        return [p for (a, b), p in self._proxies.items() if a.startswith(caller) and b.startswith(callee)]

    def reset(self, caller: str, callee: str) -> None:
        """Resets what is open between the two."""
        for proxy in self.between(caller, callee):
            self._portal.call(proxy.reset_all)

    def heal(self) -> None:
        """Everything passes again, at once."""
        for proxy in self._proxies.values():
            proxy.latency_s, proxy.reset_share, proxy.stalled = 0.0, 0.0, False


def _reset(writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
