"""What every call to a server passes: readable bytes, a place among the calls served, a deadline, one error shape."""

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
Handle = Callable[..., Any]

_deadline_of_call: ContextVar[float] = ContextVar("deadline_of_call")


def time_left() -> float | None:
    """Seconds until the deadline of the call being served, at least 0; None outside a call."""
    try:
        return max(0.0, _deadline_of_call.get() - asyncio.get_running_loop().time())
    except LookupError:
        return None


@dataclass(frozen=True)
class CallLimits:
    """`concurrent` calls at once, health checks aside; `seconds` for one, whatever its caller allows it."""

    concurrent: int = 1024
    seconds: float = 600.0


class _Malformed:
    """Stands for bytes that are no message."""


class CallInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]
    """Ends every failed call with the status of a `DarwinError`; what is none of them is logged and becomes INTERNAL.

    Bytes that are no message are INVALID_ARGUMENT, a call too many is RESOURCE_EXHAUSTED. Calls that come before `open`
    wait for it, within their deadline: to load a model takes longer than most callers try again.
    """

    def __init__(self, limits: CallLimits) -> None:
        self._limits = limits
        self._traced = exporting()
        self._running = 0
        self._opened = False
        self._decided = asyncio.Event()

    def open(self) -> None:
        """Lets calls in."""
        self._opened = True
        self._decided.set()

    def close(self) -> None:
        """Refuses the calls that still wait."""
        self._decided.set()

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any]]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any]:
        handler, method = await continuation(handler_call_details), handler_call_details.method
        if handler is None:
            return handler
        read, write = _tolerant(handler.request_deserializer), handler.response_serializer
        if handler.unary_unary:
            return grpc.unary_unary_rpc_method_handler(self._single(handler.unary_unary, method), read, write)
        if handler.unary_stream:
            return grpc.unary_stream_rpc_method_handler(self._stream(handler.unary_stream, method), read, write)
        if handler.stream_stream:
            return grpc.stream_stream_rpc_method_handler(self._stream(handler.stream_stream, method), read, write)
        return handler

    def _single(self, handle: Handle, method: str) -> Handle:
        async def guarded(request: Any, context: Context[Any, Any]) -> Any:
            with self._span(method, context):
                try:
                    with self._place(method):
                        async with _until(self._deadline(method, context)):
                            await self._let_in(method)
                            outcome = handle(_readable(request), context)
                            return await outcome if inspect.isawaitable(outcome) else outcome
                except Exception as error:
                    await _abort(error, context, method)

        return guarded

    def _stream(self, handle: Handle, method: str) -> Handle:
        async def guarded(request: Any, context: Context[Any, Any]) -> AsyncIterator[Any]:
            with self._span(method, context):
                try:
                    with self._place(method):
                        async with aclosing(self._messages(handle, request, context, method)) as messages:
                            async for message in messages:
                                yield message
                except Exception as error:
                    await _abort(error, context, method)

        return guarded

    async def _messages(
        self, handle: Handle, request: Any, context: Context[Any, Any], method: str
    ) -> AsyncGenerator[Any, None]:
        deadline = self._deadline(method, context)
        async with _until(deadline):
            await self._let_in(method)
        async with aclosing(handle(_readable(request), context)) as messages:
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

    async def _let_in(self, method: str) -> None:
        if _is_standard(method):
            return
        await self._decided.wait()
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


def _tolerant(deserializer: Callable[[bytes], Any] | None) -> Callable[[bytes], Any] | None:
    """A deserializer that fails inside the call, where the caller can be told why, and not in grpc, as INTERNAL."""
    if deserializer is None:
        return None

    def read(data: bytes) -> Any:
        try:
            return deserializer(data)
        except Exception:
            return _Malformed()

    return read


def _readable(request: Any) -> Any:
    """The message, or the stream of messages, without what cannot be read."""
    if isinstance(request, _Malformed):
        raise errors.InvalidRequest("the request's bytes are not the message that this method takes")
    return _readable_stream(request) if hasattr(request, "__aiter__") else request


async def _readable_stream(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for request in requests:
        yield _readable(request)


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
