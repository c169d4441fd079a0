"""What holds for every call: ids in the response's headers, limits on size and number, one shape for defects."""

import asyncio
import logging
import uuid
from typing import cast

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.gateway.edge.errors import MAX_HEAD_BYTES, headers_too_large, response_of, response_of_defect
from shared.errors import Overloaded
from shared.telemetry.tracing import current_trace_id, link_evolution

log = logging.getLogger(__name__)

EVOLUTION_HEADER = "x-darwin-evolution-id"
REQUEST_HEADER = "x-request-id"
TRACE_HEADER = "x-darwin-trace-id"
_CLOSE = {"connection": "close"}


def set_evolution_id(request: Request, evolution_id: str) -> None:
    """Puts the id of the evolution that the call is about into the response's headers, errors and log lines."""
    response_headers(request)[EVOLUTION_HEADER] = evolution_id
    link_evolution(evolution_id)


def response_headers(request: Request) -> dict[str, str]:
    """Headers that routes may add to; the response carries them, whether it is a success or a failure."""
    return cast(dict[str, str], request.state.headers)


class CallMiddleware:
    """Gives each call its ids, bounds its size and the number of calls at a time, and answers where a route crashed."""

    def __init__(self, app: ASGIApp, max_body_bytes: int, max_body_seconds: float, max_concurrent: int) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes
        self._max_body_seconds = max_body_seconds
        self._max_concurrent = max_concurrent
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sender = _HeaderSender(scope, send)
        if _head_bytes(scope) > MAX_HEAD_BYTES:
            await JSONResponse(headers_too_large().model_dump(), 431)(scope, receive, sender)
            return
        limited = scope["path"].startswith("/v1/")
        if limited and self._running >= self._max_concurrent:
            busy = Overloaded(f"{self._max_concurrent} calls are being answered already: come back later")
            await response_of(busy)(scope, receive, sender)
            return
        self._running += limited
        try:
            body = _LimitedBody(scope, receive, self._max_body_bytes, self._max_body_seconds)
            await self._app(scope, body, sender)
        except Exception as error:
            log.exception("%s: %s %s failed", sender.request_id, scope["method"], scope["path"])
            if sender.started:
                raise
            await response_of_defect(error)(scope, receive, sender)
        finally:
            self._running -= limited


def _head_bytes(scope: Scope) -> int:
    headers = sum(len(name) + len(value) for name, value in scope["headers"])
    return headers + len(scope["path"]) + len(scope["query_string"])


class _HeaderSender:
    """ASGI's `send`, which adds the call's ids and the headers of `response_headers` to the response."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._headers: dict[str, str] = {}
        scope.setdefault("state", {})["headers"] = self._headers
        self._send = send
        self.request_id = f"req_{uuid.uuid4().hex}"
        self._trace_id = current_trace_id()
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = MutableHeaders(scope=message)
            headers[REQUEST_HEADER] = self.request_id
            if self._trace_id:
                headers[TRACE_HEADER] = self._trace_id
            headers.update(self._headers)
        await self._send(message)


class _LimitedBody:
    """ASGI's `receive`, which raises once the body exceeds `limit` bytes or takes longer than `seconds`.

    Messages after the body, such as a disconnect, may come at any time.
    """

    def __init__(self, scope: Scope, receive: Receive, limit: int, seconds: float) -> None:
        declared = Headers(scope=scope).get("content-length", "")
        self._declared = int(declared) if declared.isdecimal() else 0
        self._receive = receive
        self._limit = limit
        self._received = 0
        self._seconds = seconds
        self._deadline: float | None = asyncio.get_running_loop().time() + seconds

    async def __call__(self) -> Message:
        if self._declared > self._limit:
            raise self._too_large()
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            raise HTTPException(408, f"the body did not arrive within {self._seconds:g} s", _CLOSE) from None
        self._received += len(message.get("body", b""))
        if self._received > self._limit:
            raise self._too_large()
        if not message.get("more_body", False):
            self._deadline = None
        return message

    def _too_large(self) -> HTTPException:
        return HTTPException(413, f"the body is too large: at most {self._limit} bytes", _CLOSE)
