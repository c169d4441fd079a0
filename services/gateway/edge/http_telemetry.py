"""A span and a duration for every HTTP call, under OpenTelemetry's names.

OpenTelemetry's own ASGI middleware is not used: it answers by a bare 500 where it cannot decode a query or a header.
"""

import time

from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.semconv._incubating.metrics.http_metrics import HTTP_SERVER_ACTIVE_REQUESTS
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE
from opentelemetry.semconv.attributes.http_attributes import (
    HTTP_REQUEST_METHOD,
    HTTP_RESPONSE_STATUS_CODE,
    HTTP_ROUTE,
)
from opentelemetry.semconv.attributes.url_attributes import URL_SCHEME
from opentelemetry.semconv.metrics.http_metrics import HTTP_SERVER_REQUEST_DURATION
from opentelemetry.trace import Link, Span, SpanKind, StatusCode, TracerProvider
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.telemetry.metrics import METER, SECONDS

_METHODS = ("GET", "POST", "DELETE", "HEAD", "PUT", "PATCH", "OPTIONS")
# Probes and the page's files: they are called often, and nobody looks for them in a trace.
_UNTRACED = ("/health", "/readyz", "/ui/")

_DURATION = METER.create_histogram(
    HTTP_SERVER_REQUEST_DURATION, "s", "Until the answer's last byte.", explicit_bucket_boundaries_advisory=SECONDS
)
_ACTIVE = METER.create_up_down_counter(HTTP_SERVER_ACTIVE_REQUESTS, "{request}", "Calls that are being answered.")

Attributes = dict[str, str | int]


class HttpTelemetry:
    """The outermost layer of the application. `http.route` is a route's template, and missing where there is none.

    A call has a trace of its own, so that this deployment decides what is sampled; the span that a caller's
    `traceparent` names is linked to it. Where it `trusts_callers`, their trace goes on instead, sampled as they say.
    Without `tracer_provider` the process's provider is used.
    """

    def __init__(
        self, app: ASGIApp, tracer_provider: TracerProvider | None = None, trusts_callers: bool = False
    ) -> None:
        self._app = app
        self._trusts_callers = trusts_callers
        self._tracer = trace.get_tracer(__name__, tracer_provider=tracer_provider)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["path"].startswith(_UNTRACED):
            await self._measure(scope, receive, send)
        else:
            parent, links = self._parent(scope)
            name, attributes = _method(scope), _request_attributes(scope)
            with self._tracer.start_as_current_span(name, parent, SpanKind.SERVER, attributes, links) as span:
                _set_response(span, name, await self._measure(scope, receive, send))

    def _parent(self, scope: Scope) -> tuple[Context, list[Link]]:
        """The context to start the span in, and what it is linked to."""
        theirs = propagate.extract(Headers(scope=scope))
        if self._trusts_callers:
            return theirs, []
        named = trace.get_current_span(theirs).get_span_context()
        return Context(), [Link(named)] if named.is_valid else []

    async def _measure(self, scope: Scope, receive: Receive, send: Send) -> Attributes:
        """Answers the call and records its duration; returns the attributes of the response."""
        # 499 stands where the caller hung up before a response began.
        started_at, status, request = time.perf_counter(), 499, _request_attributes(scope)

        async def send_and_read_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        _ACTIVE.add(1, request)
        try:
            await self._app(scope, receive, send_and_read_status)
        finally:
            _ACTIVE.add(-1, request)
            response = _response_attributes(scope, status)
            _DURATION.record(time.perf_counter() - started_at, {**request, **response})
        return response


def _method(scope: Scope) -> str:
    return scope["method"] if scope["method"] in _METHODS else "_OTHER"


def _request_attributes(scope: Scope) -> Attributes:
    return {HTTP_REQUEST_METHOD: _method(scope), URL_SCHEME: "http"}


def _response_attributes(scope: Scope, status: int) -> Attributes:
    attributes: Attributes = {HTTP_RESPONSE_STATUS_CODE: status}
    if route := getattr(scope.get("route"), "path", ""):
        attributes[HTTP_ROUTE] = route
    if status >= 500:
        attributes[ERROR_TYPE] = str(status)
    return attributes


def _set_response(span: Span, method: str, response: Attributes) -> None:
    if HTTP_ROUTE in response:
        span.update_name(f"{method} {response[HTTP_ROUTE]}")
    span.set_attributes(response)
    if ERROR_TYPE in response:
        span.set_status(StatusCode.ERROR)
