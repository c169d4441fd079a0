"""What OpenTelemetry's standard variables say to traces and metrics alike."""

import os
import socket
from importlib.metadata import version
from typing import Literal

from opentelemetry.sdk.environment_variables import OTEL_EXPORTER_OTLP_PROTOCOL, OTEL_SERVICE_NAME
from opentelemetry.sdk.resources import Resource

from shared.process.settings import SettingsError

Signal = Literal["TRACES", "METRICS"]
Protocol = Literal["grpc", "http/protobuf"]


def resource(service: str) -> Resource:
    """Who tells and measures; `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` are heard."""
    attributes = {
        "service.namespace": "darwin",
        "service.name": os.environ.get(OTEL_SERVICE_NAME) or f"darwin-{service}",
        "service.version": version("darwin-align"),
        "service.instance.id": f"{socket.gethostname()}:{os.getpid()}",
    }
    return Resource.create(attributes)


def protocol(signal: Signal) -> Protocol:
    """How OTLP is sent.

    Raises:
        SettingsError: in a way that there is none of.
    """
    asked = os.environ.get(f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL") or os.environ.get(OTEL_EXPORTER_OTLP_PROTOCOL)
    match asked or "http/protobuf":
        case "grpc":
            return "grpc"
        case "http/protobuf":
            return "http/protobuf"
        case other:
            raise SettingsError(f"{OTEL_EXPORTER_OTLP_PROTOCOL} must be grpc or http/protobuf, not {other}")
