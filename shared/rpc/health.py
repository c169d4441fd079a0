"""gRPC's standard health service: `Check` answers once, `Watch` streams every change until the server stops."""

from __future__ import annotations  # the stubs of grpc are generic, its classes are not

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from shared.errors import NotFound

_Response = health_pb2.HealthCheckResponse


class HealthServicer(health_pb2_grpc.HealthServicer):  # type: ignore[misc]  # generated code has no types
    """Has one status for all services of a process, which is NOT_SERVING at first.

    Unlike grpcio's asynchronous servicer it sends every change to every watcher, and no watcher delays a stop.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(names)
        self._status = _Response.NOT_SERVING
        self._closed = False
        self._changed = asyncio.Event()

    def set(self, serving: bool) -> None:
        self._status = _Response.SERVING if serving else _Response.NOT_SERVING
        self._notify_watchers()

    def close(self) -> None:
        """Sets NOT_SERVING for good, and ends the open watches."""
        self._closed = True
        self.set(False)

    async def Check(  # noqa: N802  # the wire's name
        self, request: health_pb2.HealthCheckRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> health_pb2.HealthCheckResponse:
        if request.service not in self._names:
            raise NotFound("no such service here", field="service")
        return _Response(status=self._status)

    async def Watch(  # noqa: N802  # the wire's name
        self, request: health_pb2.HealthCheckRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[health_pb2.HealthCheckResponse]:
        sent = None
        while True:
            changed, status = self._changed, self._status_of(request.service)
            if status != sent:
                sent = status
                yield _Response(status=status)
            elif self._closed:
                return
            else:
                await changed.wait()

    def _status_of(self, service: str) -> int:
        return int(self._status if service in self._names else _Response.SERVICE_UNKNOWN)

    def _notify_watchers(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
