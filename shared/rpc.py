"""gRPC as Darwin uses it: servers with health and reflection, long-lived channels, one error translation."""

from __future__ import annotations  # the stubs of grpc are generic, its classes are not

import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any

import grpc
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_health.v1 import _async as health_aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from grpc_status import rpc_status

from shared import errors

log = logging.getLogger(__name__)

MAX_MESSAGE_BYTES = 16 * 1024 * 1024

_OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
)
_SERVER_OPTIONS = (
    *_OPTIONS,
    ("grpc.so_reuseport", 0),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
)
_CHANNEL_OPTIONS = (
    *_OPTIONS,
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2_000),
)

_BY_STATUS = {error.grpc_status: error for error in errors.leaves()}
_FOREIGN_STATUS: dict[str, type[errors.DarwinError]] = {
    "UNKNOWN": errors.Internal,
    "ALREADY_EXISTS": errors.Conflict,
    "PERMISSION_DENIED": errors.Unsupported,
    "OUT_OF_RANGE": errors.InvalidRequest,
    "UNIMPLEMENTED": errors.Unsupported,
    "DATA_LOSS": errors.Internal,
}


def to_status(error: errors.DarwinError) -> status_pb2.Status:
    """The `google.rpc.Status` of an error: BadRequest details name the field, RetryInfo marks what may be retried."""
    details: list[any_pb2.Any] = []
    if error.field:
        violation = error_details_pb2.BadRequest.FieldViolation(field=error.field, description=error.message)
        details.append(_packed(error_details_pb2.BadRequest(field_violations=[violation])))
    if error.retryable:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromSeconds(1)
        details.append(_packed(retry))
    code = code_pb2.Code.Value(error.grpc_status)
    return status_pb2.Status(code=code, message=error.message, details=details)


def _packed(message: Any) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed


def from_rpc_error(
    error: grpc.RpcError, caller_field: Callable[[str], str] = lambda field: field
) -> errors.DarwinError:
    """The Darwin error a failed call stands for; total over `grpc.StatusCode`.

    `caller_field` turns a field of the call into the field of the request that it came from.
    """
    name = error.code().name
    kind = _BY_STATUS.get(name) or _FOREIGN_STATUS[name]
    field = None
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    for detail in status.details if status else ():
        request = error_details_pb2.BadRequest()
        if detail.Unpack(request) and request.field_violations:
            field = caller_field(request.field_violations[0].field)
    return kind(error.details() or name, field=field)


class ErrorInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]
    """Ends a failed call with the status of its `DarwinError`; anything else is logged and becomes INTERNAL."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any]]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any]:
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        # What writes to its context instead of yielding (health's Watch) answers for itself.
        if handler is None or handler.request_streaming or inspect.iscoroutinefunction(handler.unary_stream):
            return handler
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(
                _guarded_stream(handler.unary_stream, method), handler.request_deserializer, handler.response_serializer
            )
        return grpc.unary_unary_rpc_method_handler(
            _guarded_unary(handler.unary_unary, method), handler.request_deserializer, handler.response_serializer
        )


def _guarded_unary(call: Callable[..., Any] | None, method: str) -> Callable[..., Any]:
    assert call is not None

    async def guarded(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        try:
            outcome = call(request, context)
            return await outcome if inspect.isawaitable(outcome) else outcome
        except Exception as error:
            await _abort(error, context, method)

    return guarded


def _guarded_stream(call: Callable[..., Any] | None, method: str) -> Callable[..., Any]:
    assert call is not None

    async def guarded(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> AsyncIterator[Any]:
        try:
            async for message in call(request, context):
                yield message
        except Exception as error:
            await _abort(error, context, method)

    return guarded


async def _abort(error: Exception, context: grpc.aio.ServicerContext[Any, Any], method: str) -> None:
    if isinstance(error, grpc.aio.AbortError):
        raise error
    if isinstance(error, grpc.RpcError):
        error = from_rpc_error(error)
    if not isinstance(error, errors.DarwinError):
        log.exception("%s failed", method, exc_info=error)
        error = errors.Internal(f"unexpected {type(error).__name__} in {method}")
    status = rpc_status.to_status(to_status(error))
    await context.abort(status.code, status.details, status.trailing_metadata)


class Server:
    """A gRPC server whose port is bound before its service is ready, so that peers learn the address at once.

    Health answers NOT_SERVING until `set_ready`, and again from the start of `stop`.
    """

    def __init__(self, service_names: Iterable[str]) -> None:
        self._server = grpc.aio.server(interceptors=[ErrorInterceptor()], options=_SERVER_OPTIONS)
        self._health = health_aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self._names = (health.OVERALL_HEALTH, *service_names)
        reflection.enable_server_reflection(
            (*service_names, health.SERVICE_NAME, reflection.SERVICE_NAME), self._server
        )
        self.address = ""

    def register(self, add: Callable[[Any, grpc.aio.Server], None], servicer: object) -> None:
        """Adds a servicer with its generated `add_…Servicer_to_server`."""
        add(servicer, self._server)

    async def start(self, listen: str) -> str:
        """Binds `listen` (host:port, port 0 for a free one) and serves health; returns the bound address."""
        port = self._server.add_insecure_port(listen)
        self.address = f"{listen.rpartition(':')[0]}:{port}"
        await self._set(health_pb2.HealthCheckResponse.NOT_SERVING)
        await self._server.start()
        return self.address

    async def set_ready(self) -> None:
        await self._set(health_pb2.HealthCheckResponse.SERVING)

    async def stop(self, grace_s: float) -> None:
        """Refuses new calls, lets those in flight end within `grace_s` seconds, then cancels them."""
        await self._set(health_pb2.HealthCheckResponse.NOT_SERVING)
        await self._server.stop(grace_s)

    async def _set(self, status: Any) -> None:
        for name in self._names:
            await self._health.set(name, status)


def connect(address: str) -> grpc.aio.Channel:
    """A long-lived channel; it reconnects by itself. Close it with `await channel.close()`."""
    return grpc.aio.insecure_channel(address, options=_CHANNEL_OPTIONS)
