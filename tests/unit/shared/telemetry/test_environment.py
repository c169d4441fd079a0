"""Variables of a whole cluster: what OpenTelemetry's library would not start with is taken away, the rest stays."""

import logging
import os

import pytest

from shared.telemetry import environment
from shared.telemetry.environment import unusable


@pytest.mark.parametrize(
    "variables",
    [
        {"OTEL_PROPAGATORS": "b3multi,xray"},
        {"OTEL_PROPAGATORS": "tracecontext, baggage, jaeger"},
        {"OTEL_PROPAGATORS": "none"},
        {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"},
        {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "thrift"},
        {"OTEL_EXPORTER_OTLP_COMPRESSION": "zstd"},
        {"OTEL_BSP_MAX_QUEUE_SIZE": "many"},
        {"OTEL_BSP_MAX_QUEUE_SIZE": "-1"},
        {"OTEL_BSP_MAX_QUEUE_SIZE": "10"},
        {"OTEL_BSP_SCHEDULE_DELAY": "5s"},
        {"OTEL_BSP_SCHEDULE_DELAY": "0"},
        {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "0"},
        {"OTEL_METRIC_EXPORT_INTERVAL": "0"},
        {"OTEL_METRIC_EXPORT_INTERVAL": "1m"},
        {"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "abc"},
        {"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "-5"},
        {"OTEL_METRICS_EXEMPLAR_FILTER": "all"},
        {"OTEL_PYTHON_CONTEXT": "greenlets"},
        {"OTEL_PYTHON_METER_PROVIDER": "sdk_meter_provider"},
        {"OTEL_PYTHON_TRACER_PROVIDER": "sdk_tracer_provider"},
    ],
)
def test_what_cannot_be_used_is_named_with_the_reason(variables: dict[str, str]) -> None:
    found = unusable(variables)
    assert found.keys() == variables.keys()
    assert all(found.values())


@pytest.mark.parametrize(
    "variables",
    [
        {"OTEL_PROPAGATORS": "tracecontext,baggage"},
        {"OTEL_PROPAGATORS": "baggage , tracecontext"},
        {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf"},
        {"OTEL_EXPORTER_OTLP_COMPRESSION": "gzip", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
        {"OTEL_EXPORTER_OTLP_COMPRESSION": "deflate"},
        {"OTEL_BSP_MAX_QUEUE_SIZE": "10", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "10"},
        {"OTEL_BSP_SCHEDULE_DELAY": "200", "OTEL_METRIC_EXPORT_INTERVAL": "1000"},
        {"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "0"},
        {"OTEL_METRICS_EXEMPLAR_FILTER": "always_off"},
        {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_SERVICE_NAME": "mine", "OTEL_RESOURCE_ATTRIBUTES": "a=b"},
        {"HOTEL_PROPAGATORS": "b3", "PATH": ""},
    ],
)
def test_what_can_be_used_stays(variables: dict[str, str]) -> None:
    assert unusable(variables) == {}


@pytest.mark.parametrize("variables", [{"OTEL_SPAN_LINK_COUNT_LIMIT": " "}, {"OTEL_EXPORTER_OTLP_COMPRESSION": "none"}])
def test_what_means_nothing_goes_without_a_word(variables: dict[str, str]) -> None:
    assert unusable(variables) == dict.fromkeys(variables, "")


def test_the_log_says_it_once(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("OTEL_PROPAGATORS", "b3")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
    environment.settle()
    assert not {"OTEL_PROPAGATORS", "OTEL_EXPORTER_OTLP_COMPRESSION"} & os.environ.keys()
    for _ in range(2):
        environment.log_warnings()
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == (
        "OTEL_PROPAGATORS is taken without effect: traces are passed on by tracecontext and baggage"
    )
