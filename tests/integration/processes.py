"""Services as processes of their own, for tests."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from cli.stack import StackSettings
from cli.stack.child import Child

# The simulated encoder knows no meaning, only words.
SIMULATED = {
    **StackSettings.simulated().env,
    "DARWIN_GENERATION_ENGINE": "simulated",
    "DARWIN_MUTATION_THRESHOLD": "0.1",
}


def start(service: str, folder: Path, env: dict[str, str] | None = None) -> Child:
    """The service with simulated models, unless `env` says otherwise, on a free port."""
    listen = {f"DARWIN_{service.upper()}_LISTEN": "127.0.0.1:0"}
    return Child(service, [sys.executable, "-m", f"services.{service}"], folder, SIMULATED | listen | (env or {}))


@contextmanager
def process(service: str, folder: Path, env: dict[str, str] | None = None, code: int = 0) -> Iterator[Child]:
    """As `start`; at the end it must stop with exit code `code` on SIGTERM."""
    child = start(service, folder, env)
    try:
        yield child
    finally:
        child.terminate()
        ended = child.wait(20)
    assert ended == code, child.log.read_text()[-2000:]


async def serving(channel: grpc.aio.Channel, timeout_s: float = 240) -> None:
    """Returns once the service behind the channel says that it is ready."""
    stub = health_pb2_grpc.HealthStub(channel)
    async with asyncio.timeout(timeout_s):
        while True:
            answer = await stub.Check(health_pb2.HealthCheckRequest(), wait_for_ready=True)
            if answer.status == health_pb2.HealthCheckResponse.SERVING:
                return
            await asyncio.sleep(0.05)


async def until(condition: Callable[[], bool], seconds: float) -> None:
    """Returns once the condition holds, which it must within `seconds`."""
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up
        await asyncio.sleep(0.01)
