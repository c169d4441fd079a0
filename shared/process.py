"""What every process does the same way: logging, its ready file, and a clean stop on SIGTERM or SIGINT.

grpc is imported only where a gRPC service runs: the gateway uses the rest.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

if TYPE_CHECKING:
    import grpc

log = logging.getLogger(__name__)


class ProcessSettings(BaseSettings):
    """Settings of any process, from `DARWIN_…` variables."""

    model_config = SettingsConfigDict(env_prefix="DARWIN_", frozen=True, extra="ignore")

    log_level: str = "INFO"
    ready_file: Path | None = Field(default=None, description="where to write {address, pid} once the port is bound")
    drain_seconds: float = Field(default=20.0, ge=0, description="how long calls in flight may end after SIGTERM")


def configure_logging(service: str, level: str) -> None:
    logging.basicConfig(level=level, format=f"%(asctime)s %(levelname)-7s {service} %(name)s: %(message)s", force=True)


def announce(ready_file: Path | None, address: str) -> None:
    """Writes the ready file in one step, so that a reader never sees half of it."""
    if ready_file is None:
        return
    partial = ready_file.with_suffix(".partial")
    partial.write_text(json.dumps({"address": address, "pid": os.getpid()}))
    partial.replace(ready_file)


def stop_event() -> asyncio.Event:
    """An event set by SIGTERM or SIGINT; call it on the running loop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


class Service:
    """One gRPC service: `start` builds what it needs and returns its servicer, `stop` frees it."""

    def __init__(
        self,
        name: str,
        grpc_names: Iterable[str],
        add_to_server: Callable[[Any, grpc.aio.Server], None],
        servicer: object,
        start: Callable[[], Awaitable[None]],
        stop: Callable[[], Awaitable[None]],
    ) -> None:
        self.name = name
        self.grpc_names = tuple(grpc_names)
        self.add_to_server = add_to_server
        self.servicer = servicer
        self.start = start
        self.stop = stop


def run_service(service: Service, listen: str) -> None:
    """Serves until SIGTERM or SIGINT, then drains. Binds first, loads models second, reports ready third."""
    settings = ProcessSettings()
    configure_logging(service.name, settings.log_level)
    asyncio.run(_serve(service, listen, settings))


async def _serve(service: Service, listen: str, settings: ProcessSettings) -> None:
    from shared.rpc import Server

    stop = stop_event()
    server = Server(service.grpc_names)
    server.register(service.add_to_server, service.servicer)
    address = await server.start(listen)
    announce(settings.ready_file, address)
    log.info("bound %s", address)
    starting = asyncio.ensure_future(service.start())
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            await server.set_ready()
            log.info("ready")
            await stopping
    finally:
        for task in (starting, stopping):
            task.cancel()
        log.info("stopping")
        await server.stop(settings.drain_seconds)
        await service.stop()
