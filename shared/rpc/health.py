"""The standard health service: `Check` answers, `Watch` streams every change until the server stops."""

from __future__ import annotations  # the stubs of grpc are generic, its classes are not

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from shared.errors import NotFound

Status = health_pb2.HealthCheckResponse


class Health(health_pb2_grpc.HealthServicer):  # type: ignore[misc]  # generated code has no types
    """One status for all of a process's services, NOT_SERVING at first.

    Unlike grpcio's asynchronous servicer it tells every watcher of every change, and lets none of them delay a stop.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(names)
        self._status = Status.NOT_SERVING
        self._closed = False
        self._changed = asyncio.Event()

    def set(self, serving: bool) -> None:
        self._status = Status.SERVING if serving else Status.NOT_SERVING
        self._tell()

    def close(self) -> None:
        """NOT_SERVING from now on; open watches end."""
        self._closed = True
        self.set(False)

    async def Check(  # noqa: N802  # the wire's name
        self, request: health_pb2.HealthCheckRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> health_pb2.HealthCheckResponse:
        if request.service not in self._names:
            raise NotFound("no such service here", field="service")
        return Status(status=self._status)

    async def Watch(  # noqa: N802  # the wire's name
        self, request: health_pb2.HealthCheckRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[health_pb2.HealthCheckResponse]:
        sent = None
        while True:
            changed, status = self._changed, self._status_of(request.service)
            if status != sent:
                sent = status
                yield Status(status=status)
            elif self._closed:
                return
            else:
                await changed.wait()

    def _status_of(self, service: str) -> int:
        return int(self._status if service in self._names else Status.SERVICE_UNKNOWN)

    def _tell(self) -> None:
        told, self._changed = self._changed, asyncio.Event()
        told.set()
