"""What holds for every call: its ids in the headers, limits on size and number, a shape for defects."""

import logging
import uuid
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.gateway.failures import response_of, unexpected
from shared.errors import Overloaded

log = logging.getLogger(__name__)

EVOLUTION_HEADER = "x-darwin-evolution-id"
REQUEST_HEADER = "x-request-id"


class CallMiddleware:
    """Outermost of the application's layers.

    A route that works on an evolution leaves its id in `request.state.evolution_id`.
    """

    def __init__(self, app: ASGIApp, max_body_bytes: int, max_concurrent: int) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes
        self._max_concurrent = max_concurrent
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(scope, send)
        limited = scope["path"].startswith("/v1/")
        if limited and self._running >= self._max_concurrent:
            busy = Overloaded(f"{self._max_concurrent} calls are being answered already: come back later")
            await response_of(busy)(scope, receive, answer)
            return
        self._running += limited
        try:
            await self._app(scope, _LimitedBody(scope, receive, self._max_body_bytes), answer)
        except Exception as error:
            log.exception("%s: %s %s failed", answer.request_id, scope["method"], scope["path"])
            if answer.started:
                raise
            await unexpected(error)(scope, receive, answer)
        finally:
            self._running -= limited


class _Answer:
    """`send`, with the call's ids in the headers."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._state: dict[str, Any] = scope.setdefault("state", {})
        self._send = send
        self.request_id = f"req_{uuid.uuid4().hex}"
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = MutableHeaders(scope=message)
            headers[REQUEST_HEADER] = self.request_id
            if evolution_id := self._state.get("evolution_id"):
                headers[EVOLUTION_HEADER] = evolution_id
        await self._send(message)


class _LimitedBody:
    """`receive`, until the body exceeds its limit."""

    def __init__(self, scope: Scope, receive: Receive, limit: int) -> None:
        declared = Headers(scope=scope).get("content-length", "")
        self._declared = int(declared) if declared.isdecimal() else 0
        self._receive = receive
        self._limit = limit
        self._received = 0

    async def __call__(self) -> Message:
        if self._declared > self._limit:
            raise self._too_large()
        message = await self._receive()
        self._received += len(message.get("body", b""))
        if self._received > self._limit:
            raise self._too_large()
        return message

    def _too_large(self) -> HTTPException:
        return HTTPException(413, f"the body is too large: at most {self._limit} bytes", {"connection": "close"})
