"""Runs a gRPC service as a process: binds its port, loads its models, serves, drains."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import grpc
import psutil

from shared.process.lifecycle import ProcessSettings, never, stop_event
from shared.process.ready import announce
from shared.rpc.interceptor import CallLimits
from shared.rpc.server import Server
from shared.rpc.tls import Transport
from shared.telemetry.logs import configure_logging
from shared.telemetry.metrics import start_metrics
from shared.telemetry.tracing import start_tracing

log = logging.getLogger(__name__)

# Where a service has failed, calls fail at once. This is the time for their responses to be sent.
_GRACE_AFTER_FAILURE_S = 1.0


class Service:
    """What `run_service` needs of a gRPC service. `start` loads what the servicer needs, `stop` frees it.

    `failed` is awaited once the service is ready. It returns only when the service can serve no longer, and says why.
    """

    def __init__(
        self,
        name: str,
        grpc_names: Iterable[str],
        add_to_server: Callable[[Any, grpc.aio.Server], None],
        servicer: object,
        start: Callable[[], Awaitable[None]],
        stop: Callable[[], Awaitable[None]],
        failed: Callable[[], Awaitable[str]] = never,
    ) -> None:
        self.name = name
        self.grpc_names = tuple(grpc_names)
        self.add_to_server = add_to_server
        self.servicer = servicer
        self.start = start
        self.stop = stop
        self.failed = failed


def run_service(service: Service, listen: str, transport: Transport) -> None:
    """Binds the port, loads models, reports ready, and serves until SIGTERM or SIGINT; then drains.

    Where the service fails, the process ends with exit code 1, for a supervisor to start it again.

    Raises:
        SettingsError: it cannot listen, or plain text would be open to other machines.
    """
    settings = ProcessSettings()
    configure_logging(service.name, settings.log_level)
    tracing = start_tracing(service.name)
    metrics = start_metrics(service.name, settings.metrics_listen, transport)
    try:
        failure = asyncio.run(_serve(service, listen, transport, settings, metrics.address))
    finally:
        metrics.stop()
        tracing.close()
    if failure is not None:
        log.critical("ended: %s", failure)
        raise SystemExit(1)


async def _serve(
    service: Service, listen: str, transport: Transport, settings: ProcessSettings, metrics: str
) -> str | None:
    """Returns why the service failed, or None where it was asked to stop."""
    stop = stop_event()
    limits = CallLimits(settings.max_concurrent_rpcs, settings.max_call_seconds)
    server = Server(service.grpc_names, transport, limits)
    server.register(service.add_to_server, service.servicer)
    address = await server.start(listen)
    announce(settings.ready_file, address, metrics)
    log.info("bound %s", address)
    starting = asyncio.ensure_future(service.start())
    stopping = asyncio.ensure_future(stop.wait())
    grace_s = settings.drain_seconds
    try:
        await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            _abandon_loading()
        starting.result()
        server.set_ready()
        log.info("ready")
        failing = asyncio.ensure_future(service.failed())
        await asyncio.wait((failing, stopping), return_when=asyncio.FIRST_COMPLETED)
        if not failing.done():
            failing.cancel()
            return None
        grace_s = min(grace_s, _GRACE_AFTER_FAILURE_S)
        return failing.result()
    finally:
        log.info("stopping")
        await server.stop(grace_s)
        await service.stop()


def _abandon_loading() -> None:
    """Ends the process at once. A model that loads on another thread cannot be interrupted, and a normal exit waits."""
    log.info("stopped while loading")
    for child in psutil.Process().children(recursive=True):
        child.kill()
    os._exit(0)
