"""What OpenTelemetry's standard variables say of exporting: who exports, by which protocol, and where spans go.

Spans are exported where the variables name an exporter: `OTEL_TRACES_EXPORTER=otlp` (or `console`), or an
`OTEL_EXPORTER_OTLP_ENDPOINT`. Otherwise none is recorded; trace ids are still made, passed on and answered.
"""

import os
import socket
from collections.abc import Mapping
from importlib.metadata import version
from typing import Literal

from opentelemetry.sdk.environment_variables import (
    OTEL_BSP_MAX_QUEUE_SIZE,
    OTEL_EXPORTER_OTLP_ENDPOINT,
    OTEL_EXPORTER_OTLP_PROTOCOL,
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT,
    OTEL_SDK_DISABLED,
    OTEL_SERVICE_NAME,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SpanExporter

from shared.process.settings import SettingsError

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
    """The protocol by which OTLP is sent.

    Raises:
        SettingsError: the variable names an unknown one.
    """
    asked = os.environ.get(f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL") or os.environ.get(OTEL_EXPORTER_OTLP_PROTOCOL)
    match asked or "http/protobuf":
        case "grpc":
            return "grpc"
        case "http/protobuf":
            return "http/protobuf"
        case other:
            raise SettingsError(f"{OTEL_EXPORTER_OTLP_PROTOCOL} must be grpc or http/protobuf, not {other}")


def exporting() -> bool:
    """Whether the spans of this process are exported."""
    return _exporter_name(os.environ) != "none"


def span_exporter() -> SpanExporter | None:
    """The exporter that the environment names; None where spans are not exported.

    Raises:
        SettingsError: the environment names an unknown exporter or protocol.
    """
    match _exporter_name(os.environ):
        case "none":
            return None
        case "console":
            return ConsoleSpanExporter()
        case "otlp":
            return _otlp_span_exporter()
        case other:
            raise SettingsError(f"{OTEL_TRACES_EXPORTER} must be otlp, console or none, not {other}")


def span_queue_size() -> int:
    """How many ended spans wait for the exporter at most; further ones are dropped.

    Raises:
        SettingsError: the environment names no number.
    """
    try:
        return int(os.environ.get(OTEL_BSP_MAX_QUEUE_SIZE) or _SPAN_QUEUE_SIZE)
    except ValueError:
        raise SettingsError(f"{OTEL_BSP_MAX_QUEUE_SIZE} must be a number") from None


def _exporter_name(environment: Mapping[str, str]) -> str:
    """otlp, console, none, or whatever else the environment names."""
    if environment.get(OTEL_SDK_DISABLED, "").strip().lower() == "true":
        return "none"
    endpoint = environment.get(OTEL_EXPORTER_OTLP_TRACES_ENDPOINT) or environment.get(OTEL_EXPORTER_OTLP_ENDPOINT)
    named = environment.get(OTEL_TRACES_EXPORTER, "").strip().lower()
    return named or ("otlp" if endpoint else "none")


def _otlp_span_exporter() -> SpanExporter:
    if protocol("TRACES") == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as Grpc

        return Grpc()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as Http

    return Http()
