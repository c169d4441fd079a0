"""How long HTTP calls take, under OpenTelemetry's names.

Not by OpenTelemetry's own ASGI middleware: what it cannot decode of a query or a header, it answers by a bare 500.
"""

import time

from opentelemetry.semconv._incubating.metrics.http_metrics import HTTP_SERVER_ACTIVE_REQUESTS
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE
from opentelemetry.semconv.attributes.http_attributes import (
    HTTP_REQUEST_METHOD,
    HTTP_RESPONSE_STATUS_CODE,
    HTTP_ROUTE,
)
from opentelemetry.semconv.attributes.url_attributes import URL_SCHEME
from opentelemetry.semconv.metrics.http_metrics import HTTP_SERVER_REQUEST_DURATION
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.metrics import METER, SECONDS

_METHODS = ("GET", "POST", "DELETE", "HEAD", "PUT", "PATCH", "OPTIONS")

_DURATION = METER.create_histogram(
    HTTP_SERVER_REQUEST_DURATION, "s", "Until the answer's last byte.", explicit_bucket_boundaries_advisory=SECONDS
)
_ACTIVE = METER.create_up_down_counter(HTTP_SERVER_ACTIVE_REQUESTS, "{request}", "Calls that are being answered.")


class HttpMetrics:
    """Times every call around everything else; `http.route` is a route's template, and missing where there is none."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 499
        method = scope["method"] if scope["method"] in _METHODS else "_OTHER"
        call = {HTTP_REQUEST_METHOD: method, URL_SCHEME: "http"}

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        _ACTIVE.add(1, call)
        try:
            await self._app(scope, receive, noted)
        finally:
            _ACTIVE.add(-1, call)
            _DURATION.record(time.perf_counter() - began, {**call, **_outcome(scope, status)})


def _outcome(scope: Scope, status: int) -> dict[str, str | int]:
    outcome: dict[str, str | int] = {HTTP_RESPONSE_STATUS_CODE: status}
    if route := getattr(scope.get("route"), "path", ""):
        outcome[HTTP_ROUTE] = route
    if status >= 500:
        outcome[ERROR_TYPE] = str(status)
    return outcome
