"""What holds for every call: ids in the response's headers, limits on size and number, one shape for defects."""

import logging
import time
import uuid
from contextlib import ExitStack
from typing import cast

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.gateway.edge.body import LimitedBody, UnpackedBody
from services.gateway.edge.errors import MAX_HEAD_BYTES, headers_too_large, response_of, response_of_defect
from services.gateway.edge.places import Places
from services.gateway.edge.search_times import SearchTimes
from shared.errors import DarwinError
from shared.telemetry.tracing import current_trace_id, link_evolution

log = logging.getLogger(__name__)

EVOLUTION_HEADER = "x-darwin-evolution-id"
REQUEST_HEADER = "x-request-id"
TRACE_HEADER = "x-darwin-trace-id"
UPLOADS = "/v1/files"
"""Where files are sent, which may be larger than other bodies."""


def set_evolution_id(request: Request, evolution_id: str) -> None:
    """Puts the id of the evolution that the call is about into the response's headers, errors and log lines."""
    response_headers(request)[EVOLUTION_HEADER] = evolution_id
    link_evolution(evolution_id)


def response_headers(request: Request) -> dict[str, str]:
    """Headers that routes may add to; the response carries them, whether it is a success or a failure."""
    return cast(dict[str, str], request.state.headers)


class CallMiddleware:
    """Gives each call its ids, bounds its size and the number of calls at a time, and answers where a route crashed."""

    def __init__(
        self,
        app: ASGIApp,
        max_body_bytes: int,
        max_body_seconds: float,
        places: Places,
        times: SearchTimes,
        max_upload: tuple[int, float] | None = None,
    ) -> None:
        """`max_upload` holds the bytes and seconds of a body that is sent to `UPLOADS`, if they differ."""
        self._app = app
        self._max_body = (max_body_bytes, max_body_seconds)
        self._max_upload = max_upload or self._max_body
        self._places = places
        self._times = times

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sender = _HeaderSender(scope, send)
        if _head_bytes(scope) > MAX_HEAD_BYTES:
            await JSONResponse(headers_too_large().model_dump(), 431)(scope, receive, sender)
            return
        with ExitStack() as held:
            if scope["path"].startswith("/v1/"):
                try:
                    held.enter_context(self._places.arrival())
                except DarwinError as busy:
                    await response_of(busy, self._times.retry_after_s)(scope, receive, sender)
                    return
            await self._answer(scope, receive, sender)

    async def _answer(self, scope: Scope, receive: Receive, sender: "_HeaderSender") -> None:
        began = time.monotonic()
        try:
            most_bytes, most_seconds = self._max_upload if scope["path"].rstrip("/") == UPLOADS else self._max_body
            body = LimitedBody(scope, receive, most_bytes, most_seconds)
            await self._app(scope, UnpackedBody(scope, body, most_bytes), sender)
        except Exception as error:
            log.exception("%s: %s %s failed", sender.request_id, scope["method"], scope["path"])
            if sender.started:
                raise
            await response_of_defect(error)(scope, receive, sender)
        finally:
            _log_call(scope, sender, time.monotonic() - began)


def _log_call(scope: Scope, sender: "_HeaderSender", seconds: float) -> None:
    """The line of a call under /v1; 499 stands where the caller hung up before an answer began."""
    caller = scope["state"].get("caller")
    key_id = caller.key.id if caller and caller.key else "-"
    call = (sender.request_id, scope["method"], scope["path"], sender.status, seconds, key_id)
    log.log(
        logging.INFO if scope["path"].startswith("/v1/") else logging.DEBUG, "%s: %s %s %d in %.3f s, key %s", *call
    )


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
        self.status = 499

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started, self.status = True, message["status"]
            headers = MutableHeaders(scope=message)
            headers[REQUEST_HEADER] = self.request_id
            if self._trace_id:
                headers[TRACE_HEADER] = self._trace_id
            headers.update(self._headers)
        await self._send(message)
