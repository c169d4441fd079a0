"""What OpenTelemetry's standard variables say of exporting: who exports, by which protocol, and where spans go.

Spans are exported where the variables name an exporter: `OTEL_TRACES_EXPORTER=otlp` (or `console`, or both), or an
`OTEL_EXPORTER_OTLP_ENDPOINT`. Otherwise none is recorded; trace ids are still made, passed on and answered. Whatever
cannot be used is a warning in the log.
"""

import logging
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Literal, TypeVar

from opentelemetry.sdk.environment_variables import (
    OTEL_BSP_MAX_EXPORT_BATCH_SIZE,
    OTEL_BSP_MAX_QUEUE_SIZE,
    OTEL_EXPORTER_OTLP_ENDPOINT,
    OTEL_EXPORTER_OTLP_PROTOCOL,
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT,
    OTEL_SDK_DISABLED,
    OTEL_SERVICE_NAME,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SpanExporter

log = logging.getLogger(__name__)

T = TypeVar("T")
Signal = Literal["TRACES", "METRICS"]
Protocol = Literal["grpc", "http/protobuf"]

OTEL_TRACES_EXPORTER = "OTEL_TRACES_EXPORTER"
# The spans of a large evolution are reported at once. They are more than the standard's default of 2048.
_SPAN_QUEUE_SIZE = 32_768


def resource(service: str) -> Resource:
    """Describes this process in spans and metrics. `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` are honoured."""
    attributes = {
        "service.namespace": "darwin",
        "service.name": os.environ.get(OTEL_SERVICE_NAME) or f"darwin-{service}",
        "service.version": version("darwin-align"),
        "service.instance.id": f"{socket.gethostname()}:{os.getpid()}",
    }
    return Resource.create(attributes)


def protocol(signal: Signal) -> Protocol:
    """The protocol by which OTLP is sent."""
    asked = os.environ.get(f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL") or os.environ.get(OTEL_EXPORTER_OTLP_PROTOCOL)
    return "grpc" if (asked or "").strip().lower() == "grpc" else "http/protobuf"


def exporting() -> bool:
    """Whether the spans of this process are exported."""
    return any(name in ("otlp", "console") for name in _span_exporter_names())


def span_exporters() -> list[SpanExporter]:
    """The exporters that the environment names; none where spans are not exported."""
    makers = {"otlp": _otlp_span_exporter, "console": ConsoleSpanExporter}
    return exporters_of(OTEL_TRACES_EXPORTER, _span_exporter_names(), makers)


def exporters_of(variable: str, names: Sequence[str], makers: Mapping[str, Callable[[], T]]) -> list[T]:
    """The exporters that a variable names, of those that can be made; the log says which cannot."""
    made = []
    for name in names:
        if name not in makers:
            log.warning("%s: nothing is exported by %s: it may name %s, none", variable, name, ", ".join(makers))
            continue
        try:
            made.append(makers[name]())
        except Exception as error:
            log.warning("%s: nothing is exported by %s: %s: %s", variable, name, type(error).__name__, error)
    return made


def listed(variable: str) -> list[str]:
    """The exporters that a variable names, in lower case, each once; `none` names none."""
    names = (name.strip().lower() for name in os.environ.get(variable, "").split(","))
    return [name for name in dict.fromkeys(names) if name not in ("", "none")]


def span_queue_size() -> int:
    """How many ended spans wait for the exporter at most; further ones are dropped."""
    batch = int(os.environ.get(OTEL_BSP_MAX_EXPORT_BATCH_SIZE) or 0)
    return int(os.environ.get(OTEL_BSP_MAX_QUEUE_SIZE) or max(_SPAN_QUEUE_SIZE, batch))


def _span_exporter_names() -> list[str]:
    environment = os.environ
    if environment.get(OTEL_SDK_DISABLED, "").strip().lower() == "true":
        return []
    endpoint = environment.get(OTEL_EXPORTER_OTLP_TRACES_ENDPOINT) or environment.get(OTEL_EXPORTER_OTLP_ENDPOINT)
    if endpoint and not environment.get(OTEL_TRACES_EXPORTER, "").strip():
        return ["otlp"]
    return listed(OTEL_TRACES_EXPORTER)


def _otlp_span_exporter() -> SpanExporter:
    if protocol("TRACES") == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as Grpc

        return Grpc()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as Http

    return Http()
