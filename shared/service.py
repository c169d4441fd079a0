"""How a gRPC service runs as a process: bind, load, serve, drain."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import grpc
import psutil

from shared.process import ProcessSettings, announce, configure_logging, stop_event
from shared.rpc import Server

log = logging.getLogger(__name__)


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
        if not starting.done():
            _abandon_loading()
        starting.result()
        await server.set_ready()
        log.info("ready")
        await stopping
    finally:
        log.info("stopping")
        await server.stop(settings.drain_seconds)
        await service.stop()


def _abandon_loading() -> None:
    """Ends at once: a model that loads on another thread cannot be interrupted, and an ordinary exit waits for it."""
    log.info("stopped while loading")
    for child in psutil.Process().children(recursive=True):
        child.kill()
    os._exit(0)
