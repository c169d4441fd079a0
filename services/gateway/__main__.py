"""Serves the gateway: `python -m services.gateway`."""

import asyncio
import logging
import socket
from contextlib import AbstractContextManager, nullcontext

import uvicorn
from opentelemetry.trace import TracerProvider

from services.gateway.app import batch_driver, create_app, webhook_deliverer
from services.gateway.config.settings import GatewaySettings
from services.gateway.edge.lifetime import Lifetime
from services.gateway.edge.protocol import protocol_with
from services.gateway.evolutions.backends import Backends
from shared.process.certificates import Certificates
from shared.process.lifecycle import ProcessSettings, stop_event
from shared.process.ready import announce
from shared.process.settings import refusing
from shared.process.tasks import end
from shared.store.access import check_access
from shared.telemetry.logs import configure_logging
from shared.telemetry.metrics import start_metrics
from shared.telemetry.tracing import start_tracing

log = logging.getLogger(__name__)

# Beyond the drain time, so that calls which it cuts short still get their response.
_SHUTDOWN_GRACE_S = 2.0
_BACKLOG = 2048
# Longer than a load balancer keeps an idle connection, so that the balancer closes it first.
_KEEP_ALIVE_S = 75


class _Server(uvicorn.Server):
    """A server that leaves signals to `stop_event`, so that the process exits cleanly when it is stopped."""

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        return nullcontext()


def main() -> None:
    with refusing("gateway"):
        process, settings = ProcessSettings(), GatewaySettings()
        configure_logging("gateway", process.log_level)
        tracing = start_tracing("gateway", trusts_callers=False)
        metrics = start_metrics("gateway", process.metrics_listen, Certificates())
    try:
        asyncio.run(_serve(settings, process, metrics.address, tracing.provider))
    finally:
        metrics.stop()
        tracing.close()


async def _serve(
    settings: GatewaySettings, process: ProcessSettings, metrics: str, tracer_provider: TracerProvider
) -> None:
    stop = stop_event()
    listener = _bind(settings)
    host, port = listener.getsockname()[:2]
    with refusing("gateway"):
        await check_access(settings.redis_url, settings.redis_shards)
        backends = Backends.of(settings)
    lifetime = Lifetime()
    server = _Server(
        uvicorn.Config(
            create_app(settings, backends, lifetime, tracer_provider),
            http=protocol_with(settings.send_timeout_s),
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            ws="none",
            # Whose word is taken for who calls is a setting of ours, which looks at the address of the peer itself.
            proxy_headers=False,
            backlog=_BACKLOG,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=process.drain_seconds + _SHUTDOWN_GRACE_S,  # type: ignore[arg-type]
        )
    )
    address = f"[{host}]:{port}" if listener.family == socket.AF_INET6 else f"{host}:{port}"
    announce(process.ready_file, address, metrics, health="http")
    log.info("listening on %s", address)
    serving = asyncio.ensure_future(server.serve([listener]))
    stopping = asyncio.ensure_future(stop.wait())
    driving = asyncio.ensure_future(batch_driver(settings, backends).run())
    keeping = asyncio.ensure_future(backends.profiles.keep_loaded())
    delivering = asyncio.ensure_future(webhook_deliverer(settings, backends).run())
    try:
        await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
        log.info("stopping")
        lifetime.stop(process.drain_seconds)
        server.should_exit = True
        await serving
    finally:
        await end(stopping, driving, keeping, delivering)
        await backends.close()


def _bind(settings: GatewaySettings) -> socket.socket:
    try:
        found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
        family, kind, protocol, _, address = found[0]
        # Unlike `socket.create_server` this names the protocol: without it asyncio leaves Nagle's delay on (40 ms).
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        raise SystemExit(f"gateway: cannot listen on {settings.listen}: {error}") from None
    listener.listen(_BACKLOG)
    listener.setblocking(False)
    return listener


if __name__ == "__main__":
    main()
