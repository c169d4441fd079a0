"""A span and a duration for every HTTP call, under OpenTelemetry's names.

Not by OpenTelemetry's own ASGI middleware: what it cannot decode of a query or a header, it answers by a bare 500.
"""

import time

from opentelemetry import propagate, trace
from opentelemetry.semconv._incubating.metrics.http_metrics import HTTP_SERVER_ACTIVE_REQUESTS
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE
from opentelemetry.semconv.attributes.http_attributes import (
    HTTP_REQUEST_METHOD,
    HTTP_RESPONSE_STATUS_CODE,
    HTTP_ROUTE,
)
from opentelemetry.semconv.attributes.url_attributes import URL_SCHEME
from opentelemetry.semconv.metrics.http_metrics import HTTP_SERVER_REQUEST_DURATION
from opentelemetry.trace import Span, SpanKind, StatusCode, TracerProvider
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.telemetry.metrics import METER, SECONDS

_METHODS = ("GET", "POST", "DELETE", "HEAD", "PUT", "PATCH", "OPTIONS")
# Asked for all the time, or files: nobody looks for these in a trace.
_UNTRACED = ("/healthz", "/readyz", "/ui/")

_DURATION = METER.create_histogram(
    HTTP_SERVER_REQUEST_DURATION, "s", "Until the answer's last byte.", explicit_bucket_boundaries_advisory=SECONDS
)
_ACTIVE = METER.create_up_down_counter(HTTP_SERVER_ACTIVE_REQUESTS, "{request}", "Calls that are being answered.")

Attributes = dict[str, str | int]


class HttpTelemetry:
    """Around everything else; `http.route` is a route's template, and missing where there is none.

    A `traceparent` that the caller sends is continued. Without a provider of its own it takes the process's.
    """

    def __init__(self, app: ASGIApp, tracer_provider: TracerProvider | None = None) -> None:
        self._app = app
        self._tracer = trace.get_tracer(__name__, tracer_provider=tracer_provider)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["path"].startswith(_UNTRACED):
            await self._timed(scope, receive, send)
        else:
            caller = propagate.extract(Headers(scope=scope))
            name, call = _method(scope), _call(scope)
            with self._tracer.start_as_current_span(name, caller, SpanKind.SERVER, call) as span:
                _describe(span, name, await self._timed(scope, receive, send))

    async def _timed(self, scope: Scope, receive: Receive, send: Send) -> Attributes:
        """What came of the call."""
        began, status, call = time.perf_counter(), 499, _call(scope)

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
            outcome = _outcome(scope, status)
            _DURATION.record(time.perf_counter() - began, {**call, **outcome})
        return outcome


def _method(scope: Scope) -> str:
    return scope["method"] if scope["method"] in _METHODS else "_OTHER"


def _call(scope: Scope) -> Attributes:
    return {HTTP_REQUEST_METHOD: _method(scope), URL_SCHEME: "http"}


def _outcome(scope: Scope, status: int) -> Attributes:
    outcome: Attributes = {HTTP_RESPONSE_STATUS_CODE: status}
    if route := getattr(scope.get("route"), "path", ""):
        outcome[HTTP_ROUTE] = route
    if status >= 500:
        outcome[ERROR_TYPE] = str(status)
    return outcome


def _describe(span: Span, method: str, outcome: Attributes) -> None:
    if HTTP_ROUTE in outcome:
        span.update_name(f"{method} {outcome[HTTP_ROUTE]}")
    span.set_attributes(outcome)
    if ERROR_TYPE in outcome:
        span.set_status(StatusCode.ERROR)
