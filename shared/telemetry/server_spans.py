"""The server's span of a gRPC call: a child of the caller's span, and the parent of what the call causes."""

from __future__ import annotations  # the stubs of grpc are generic, its classes are not

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import grpc
from opentelemetry import context, propagate, trace
from opentelemetry.trace import Span, SpanKind, StatusCode

from shared.errors import DarwinError

_tracer = trace.get_tracer(__name__)

# Statuses that OpenTelemetry's conventions for gRPC count as the server's fault.
_FAULTS = ("UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS")


def headers_of(call: grpc.aio.ServicerContext[Any, Any]) -> dict[str, str]:
    """The metadata of the call."""
    return {str(name): str(value) for name, value in call.invocation_metadata() or ()}


@contextmanager
def server_span(method: str, headers: Mapping[str, str]) -> Iterator[Span]:
    """Opens the span of a call of `/package.Service/Method`. Spans and log lines made inside belong to it."""
    token = context.attach(propagate.extract(headers))
    name = method.lstrip("/")
    attributes = {"rpc.system.name": "grpc", "rpc.method": name}
    try:
        with _tracer.start_as_current_span(
            name, kind=SpanKind.SERVER, attributes=attributes, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield span
            except Exception:
                raise  # `note_failure` has been called with the status
            except BaseException:
                span.set_attribute("rpc.response.status_code", "CANCELLED")
                raise
            else:
                span.set_attribute("rpc.response.status_code", "OK")
    finally:
        context.detach(token)


def note_failure(error: DarwinError) -> None:
    """Writes the status that a call ends with into its span."""
    span = trace.get_current_span()
    span.set_attribute("rpc.response.status_code", error.grpc_status)
    if error.grpc_status in _FAULTS:
        span.set_attribute("error.type", type(error).__name__)
        span.set_status(StatusCode.ERROR, type(error).__name__)
