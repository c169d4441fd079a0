"""Measures how long gRPC calls take, at both ends, under OpenTelemetry's names, health checks and reflection aside."""

from __future__ import annotations  # the stubs of grpc are generic, its classes are not

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import Any

import grpc
from opentelemetry.metrics import Histogram
from opentelemetry.semconv._incubating.attributes.rpc_attributes import (
    RPC_METHOD,
    RPC_RESPONSE_STATUS_CODE,
    RPC_SYSTEM_NAME,
)
from opentelemetry.semconv._incubating.metrics.rpc_metrics import RPC_CLIENT_CALL_DURATION, RPC_SERVER_CALL_DURATION
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE

from shared.errors import DarwinError
from shared.telemetry.metrics import METER, SECONDS

_PREFIX = "darwin.v1."
_NAMES = {code.value[0]: code.name for code in grpc.StatusCode}

_SERVER_SECONDS = METER.create_histogram(
    RPC_SERVER_CALL_DURATION, "s", "Duration of calls served.", explicit_bucket_boundaries_advisory=SECONDS
)
_CLIENT_SECONDS = METER.create_histogram(
    RPC_CLIENT_CALL_DURATION, "s", "Duration of calls made.", explicit_bucket_boundaries_advisory=SECONDS
)
_IN_FLIGHT = METER.create_up_down_counter("darwin.rpc.server.active", "{call}", "Calls that are being served.")


@contextmanager
def calling(method: str) -> Iterator[None]:
    """Times a call to `method`, such as GenerationService/Generate, that is made inside this context.

    An exception gives the call's status. Leaving a stream early counts as cancelled.
    """
    began, status = time.perf_counter(), "CANCELLED"
    try:
        yield
        status = "OK"
    except DarwinError as error:
        status = error.grpc_status
        raise
    except grpc.RpcError as error:
        status = error.code().name
        raise
    except Exception:
        status = "UNKNOWN"
        raise
    finally:
        _record(_CLIENT_SECONDS, time.perf_counter() - began, _PREFIX + method, status)


class MetricsInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]
    """Times every call of Darwin's services until its last message is sent.

    It must be the first interceptor, to see the status that the call ends with.
    """

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any]]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any]:
        handler, method = await continuation(handler_call_details), handler_call_details.method.lstrip("/")
        if handler is None or not method.startswith(_PREFIX):
            return handler
        read, write = handler.request_deserializer, handler.response_serializer
        if handler.unary_unary:
            return grpc.unary_unary_rpc_method_handler(_single(handler.unary_unary, method), read, write)
        if handler.unary_stream:
            return grpc.unary_stream_rpc_method_handler(_stream(handler.unary_stream, method), read, write)
        return handler


def _single(handle: Callable[..., Any], method: str) -> Callable[..., Any]:
    async def timed(request: Any, context: Any) -> Any:
        with _serving(method, context):
            return await handle(request, context)

    return timed


def _stream(handle: Callable[..., Any], method: str) -> Callable[..., Any]:
    async def timed(request: Any, context: Any) -> AsyncIterator[Any]:
        with _serving(method, context):
            async with aclosing(handle(request, context)) as messages:
                async for message in messages:
                    yield message

    return timed


@contextmanager
def _serving(method: str, context: Any) -> Iterator[None]:
    began, cancelled = time.perf_counter(), False
    _IN_FLIGHT.add(1, {RPC_METHOD: method})
    try:
        yield
    except (asyncio.CancelledError, GeneratorExit):
        cancelled = True
        raise
    finally:
        _IN_FLIGHT.add(-1, {RPC_METHOD: method})
        status = "CANCELLED" if cancelled else _status(context)
        _record(_SERVER_SECONDS, time.perf_counter() - began, method, status)


def _status(context: Any) -> str:
    """The name of the status that the call ends with, which is OK where none is set."""
    code = context.code()
    return code.name if isinstance(code, grpc.StatusCode) else _NAMES[code or 0]


def _record(histogram: Histogram, seconds: float, method: str, status: str) -> None:
    attributes = {RPC_SYSTEM_NAME: "grpc", RPC_METHOD: method, RPC_RESPONSE_STATUS_CODE: status}
    if status != "OK":
        attributes[ERROR_TYPE] = status
    histogram.record(seconds, attributes)
