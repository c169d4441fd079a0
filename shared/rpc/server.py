"""A gRPC server as Darwin runs it: with health, reflection, and the same guards around every call."""

from __future__ import annotations  # the stubs of grpc are generic, its classes are not

from collections.abc import Callable, Iterable
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from shared.process.settings import SettingsError
from shared.rpc.channel import MESSAGE_OPTIONS
from shared.rpc.health import HealthServicer
from shared.rpc.interceptor import CallInterceptor, CallLimits
from shared.rpc.metrics import MetricsInterceptor
from shared.rpc.tls import PLAIN, Transport

_OPTIONS = (
    *MESSAGE_OPTIONS,
    ("grpc.so_reuseport", 0),
    ("grpc.keepalive_permit_without_calls", 1),
)
LEAST_BETWEEN_PINGS_S = 5.0
"""A client that sends pings more often than this loses its connection."""
# How many calls beyond the limit are refused by `CallInterceptor`, which says why. grpc refuses any further ones.
_SPARE_CALLS = 256


class Server:
    """A gRPC server whose port is bound before its service is ready, so that peers learn the address at once.

    Its health is NOT_SERVING until `set_ready`, and again from the start of `stop`. Calls wait for `set_ready`.
    """

    def __init__(
        self, service_names: Iterable[str], transport: Transport = PLAIN, limits: CallLimits | None = None
    ) -> None:
        limits, names = limits or CallLimits(), tuple(service_names)
        self._transport = transport
        self._calls = CallInterceptor(limits)
        self._server = grpc.aio.server(
            interceptors=[MetricsInterceptor(), self._calls],
            options=(*_OPTIONS, ("grpc.http2.min_ping_interval_without_data_ms", int(LEAST_BETWEEN_PINGS_S * 1000))),
            maximum_concurrent_rpcs=limits.concurrent + _SPARE_CALLS,
        )
        self._health = HealthServicer((health.OVERALL_HEALTH, *names))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection((*names, health.SERVICE_NAME, reflection.SERVICE_NAME), self._server)
        self.address = ""

    def register(self, add: Callable[[Any, grpc.aio.Server], None], servicer: object) -> None:
        """Adds a servicer with its generated `add_…Servicer_to_server`."""
        add(servicer, self._server)

    async def start(self, listen: str) -> str:
        """Binds `listen` (host:port, port 0 for a free one; or unix:path) and serves health; returns the bound address.

        Raises:
            SettingsError: the address is taken, or plain text would be open to other machines.
        """
        credentials = self._transport.server_credentials(listen)
        try:
            if credentials is None:
                port = self._server.add_insecure_port(listen)
            else:
                port = self._server.add_secure_port(listen, credentials)
        except RuntimeError as error:
            raise SettingsError(f"cannot listen on {listen}: {error}") from None
        self.address = listen if listen.startswith("unix") else f"{listen.rpartition(':')[0]}:{port}"
        await self._server.start()
        return self.address

    def set_ready(self) -> None:
        self._health.set(True)
        self._calls.open()

    async def stop(self, grace_s: float) -> None:
        """Refuses new calls, gives those in flight `grace_s` seconds to end, and then cancels them."""
        self._health.close()
        self._calls.close()
        await self._server.stop(grace_s)
