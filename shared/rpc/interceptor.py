"""Guards every call to a server: its bytes must be readable, calls are limited, each has a deadline and a status."""

from __future__ import annotations  # the stubs of grpc are generic, its classes are not

import asyncio
import inspect
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, aclosing, asynccontextmanager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import grpc
from grpc_health.v1 import health
from grpc_reflection.v1alpha import reflection
from grpc_status import rpc_status

from shared import errors
from shared.rpc.channel import from_rpc_error, to_status
from shared.telemetry.exporters import exporting
from shared.telemetry.server_spans import headers_of, note_failure, server_span
from shared.telemetry.tracing import extract

log = logging.getLogger(__name__)

Context = grpc.aio.ServicerContext
Handler = Callable[..., Any]

_deadline_of_call: ContextVar[float] = ContextVar("deadline_of_call")


def time_left() -> float | None:
    """Seconds until the deadline of the call that is being served, at least 0; None outside a call."""
    try:
        return max(0.0, _deadline_of_call.get() - asyncio.get_running_loop().time())
    except LookupError:
        return None


@dataclass(frozen=True)
class CallLimits:
    """How many calls are served at once, not counting health checks, and how long one may take at most, in seconds."""

    concurrent: int = 1024
    seconds: float = 600.0


class _Malformed:
    """Stands in for a request whose bytes could not be read."""


class CallInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]
    """Ends every failed call with the status of a `DarwinError`; any other exception is logged and becomes INTERNAL.

    Unreadable bytes are answered by INVALID_ARGUMENT, and a call beyond the limit by RESOURCE_EXHAUSTED. Calls that
    come before `open` wait for it, within their deadline, since most callers would not retry for as long as a model
    takes to load.
    """

    def __init__(self, limits: CallLimits) -> None:
        self._limits = limits
        self._traced = exporting()
        self._running = 0
        self._opened = False
        self._opened_or_closed = asyncio.Event()

    def open(self) -> None:
        """Lets calls in, those that wait and those that come."""
        self._opened = True
        self._opened_or_closed.set()

    def close(self) -> None:
        """Refuses the calls that wait, where `open` was not called."""
        self._opened_or_closed.set()

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any]]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any]:
        handler, method = await continuation(handler_call_details), handler_call_details.method
        if handler is None:
            return handler
        read, write = _deferring_errors(handler.request_deserializer), handler.response_serializer
        if handler.unary_unary:
            return grpc.unary_unary_rpc_method_handler(self._single(handler.unary_unary, method), read, write)
        if handler.unary_stream:
            return grpc.unary_stream_rpc_method_handler(self._stream(handler.unary_stream, method), read, write)
        if handler.stream_stream:
            return grpc.stream_stream_rpc_method_handler(self._stream(handler.stream_stream, method), read, write)
        return handler

    def _single(self, handler: Handler, method: str) -> Handler:
        async def guarded(request: Any, context: Context[Any, Any]) -> Any:
            with self._span(method, context):
                try:
                    with self._place(method):
                        async with _until(self._deadline(method, context)):
                            await self._wait_until_open(method)
                            outcome = handler(_checked(request), context)
                            return await outcome if inspect.isawaitable(outcome) else outcome
                except Exception as error:
                    await _abort(error, context, method)

        return guarded

    def _stream(self, handler: Handler, method: str) -> Handler:
        async def guarded(request: Any, context: Context[Any, Any]) -> AsyncIterator[Any]:
            with self._span(method, context):
                try:
                    with self._place(method):
                        async with aclosing(self._messages(handler, request, context, method)) as messages:
                            async for message in messages:
                                yield message
                except Exception as error:
                    await _abort(error, context, method)

        return guarded

    async def _messages(
        self, handler: Handler, request: Any, context: Context[Any, Any], method: str
    ) -> AsyncGenerator[Any, None]:
        deadline = self._deadline(method, context)
        async with _until(deadline):
            await self._wait_until_open(method)
        async with aclosing(handler(_checked(request), context)) as messages:
            while True:
                async with _until(deadline):
                    message = await anext(messages, None)
                if message is None:
                    return
                yield message

    def _span(self, method: str, context: Context[Any, Any]) -> AbstractContextManager[Any]:
        if _is_standard(method):
            return nullcontext()
        if self._traced:
            return server_span(method, headers_of(context))
        extract(headers_of(context))
        return nullcontext()

    async def _wait_until_open(self, method: str) -> None:
        if _is_standard(method):
            return
        await self._opened_or_closed.wait()
        if not self._opened:
            raise errors.Unavailable("the service is stopping")

    @contextmanager
    def _place(self, method: str) -> Iterator[None]:
        if _is_health(method):
            yield
            return
        if self._running >= self._limits.concurrent:
            raise errors.Overloaded(f"{self._running} calls are served already; come back later")
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1

    def _deadline(self, method: str, context: Context[Any, Any]) -> float | None:
        """When the call ends at the latest, by the loop's clock; None for a watch on health, which has no end."""
        if _is_health(method):
            return None
        left = context.time_remaining()
        seconds = self._limits.seconds if left is None else min(left, self._limits.seconds)
        deadline = asyncio.get_running_loop().time() + seconds
        _deadline_of_call.set(deadline)
        return deadline


@asynccontextmanager
async def _until(deadline: float | None) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout_at(deadline) as limit:
            yield
    except TimeoutError:
        if limit.expired():
            raise errors.DeadlineExceeded("the call took longer than it may") from None
        raise


def _is_health(method: str) -> bool:
    return method.startswith(f"/{health.SERVICE_NAME}/")


def _is_standard(method: str) -> bool:
    return _is_health(method) or method.startswith(f"/{reflection.SERVICE_NAME}/")


def _deferring_errors(deserializer: Callable[[bytes], Any] | None) -> Callable[[bytes], Any] | None:
    """A deserializer that never raises: the error is raised later, within the call, where its status can be chosen.

    An exception in a deserializer would make grpc end the call with INTERNAL.
    """
    if deserializer is None:
        return None

    def read(data: bytes) -> Any:
        try:
            return deserializer(data)
        except Exception:
            return _Malformed()

    return read


def _checked(request: Any) -> Any:
    """The message, or the stream of messages.

    Raises:
        InvalidRequest: its bytes could not be read; of a stream, once that message is reached.
    """
    if isinstance(request, _Malformed):
        raise errors.InvalidRequest("the request's bytes are not the message that this method takes")
    return _checked_stream(request) if hasattr(request, "__aiter__") else request


async def _checked_stream(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for request in requests:
        yield _checked(request)


async def _abort(error: Exception, context: Context[Any, Any], method: str) -> None:
    if isinstance(error, grpc.aio.AbortError):
        raise error
    if isinstance(error, grpc.RpcError):
        error = from_rpc_error(error)
    if not isinstance(error, errors.DarwinError):
        log.exception("%s failed", method, exc_info=error)
        error = errors.Internal(f"unexpected {type(error).__name__} in {method}")
    note_failure(error)
    status = rpc_status.to_status(to_status(error))
    await context.abort(status.code, status.details, status.trailing_metadata)
