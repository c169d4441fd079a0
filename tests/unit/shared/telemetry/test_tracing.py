"""Which trace and evolution the code under way is about, what is passed on, and where spans go."""

import json
import logging
import os
import subprocess
import sys

import pytest
from opentelemetry import propagate
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.sdk.trace.export import ConsoleSpanExporter
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared.records.evolution import TraceContext
from shared.telemetry import exporters
from shared.telemetry import tracing as telemetry
from shared.telemetry.tracing import EndedSpan, TelemetrySettings, Tracing

PARENT = TraceContext("a" * 32, "b" * 16, sampled=True)


@pytest.fixture(autouse=True)
def propagator() -> None:
    propagate.set_global_textmap(CompositePropagator([TraceContextTextMapPropagator(), W3CBaggagePropagator()]))


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)


def test_what_is_under_way_is_passed_on_and_left_again() -> None:
    with telemetry.use_context(PARENT, "evo_1"):
        assert telemetry.current_span() == PARENT
        assert (telemetry.current_trace_id(), telemetry.current_evolution_id()) == ("a" * 32, "evo_1")
        assert dict(telemetry.inject()) == {
            "traceparent": f"00-{'a' * 32}-{'b' * 16}-01",
            "baggage": "darwin.evolution.id=evo_1",
        }
        with telemetry.use_context(TraceContext("a" * 32, "c" * 16, sampled=False)):
            assert dict(telemetry.inject())["traceparent"].endswith(f"-{'c' * 16}-00")
            assert telemetry.current_evolution_id() == "evo_1"
    assert telemetry.current_span() is None
    assert telemetry.inject() == ()


def test_spans_are_told_after_the_fact_with_their_own_ids_and_times() -> None:
    exporter = InMemorySpanExporter()
    tracing = Tracing("orchestrator", [exporter], TelemetrySettings())
    span = EndedSpan("round", "1" * 16, "2" * 16, 10.0, 12.5, {"a": 1, "b": None}, links=("3" * 16,), error="Gone")
    tracing.report("f" * 32, [span])
    tracing.close()
    (told,) = exporter.get_finished_spans()
    assert told.context is not None
    assert told.parent is not None
    assert (f"{told.context.trace_id:x}", f"{told.context.span_id:x}") == ("f" * 32, "1" * 16)
    assert (f"{told.parent.span_id:x}", f"{told.links[0].context.span_id:x}") == ("2" * 16, "3" * 16)
    assert (told.start_time, told.end_time) == (10_000_000_000, 12_500_000_000)
    assert dict(told.attributes or {}) == {"a": 1}
    assert (told.status.is_ok, told.status.description) == (False, "Gone")
    assert told.resource.attributes["service.name"] == "darwin-orchestrator"


def test_without_an_exporter_there_are_ids_and_nothing_is_recorded() -> None:
    tracing = Tracing("gateway", (), TelemetrySettings())
    span = tracing.provider.get_tracer("test").start_span("call")
    assert span.get_span_context().is_valid
    assert not span.is_recording()
    assert not tracing.exporting
    tracing.report("f" * 32, [EndedSpan("round", "1" * 16, "2" * 16, 0, 1, {})])


@pytest.mark.parametrize(
    ("variables", "exports"),
    [
        ({}, False),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "console"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"}, False),
    ],
)
def test_the_standard_variables_say_where_spans_go(
    variables: dict[str, str], exports: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert exporters.exporting() is exports
    assert bool(exporters.span_exporters()) is exports


@pytest.mark.parametrize(
    ("value", "kinds", "unknown"),
    [
        ("otlp,console", [OTLPSpanExporter, ConsoleSpanExporter], []),
        (" OTLP , console,otlp,", [OTLPSpanExporter, ConsoleSpanExporter], []),
        ("none,console", [ConsoleSpanExporter], []),
        ("zipkin", [], ["zipkin"]),
        ("otlp,jaeger", [OTLPSpanExporter], ["jaeger"]),
    ],
)
def test_a_list_of_exporters_is_obeyed_as_far_as_it_can_be(
    value: str,
    kinds: list[type],
    unknown: list[str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", value)
    assert [type(each) for each in exporters.span_exporters()] == kinds
    assert exporters.exporting() is bool(kinds)
    said = [record.getMessage() for record in caplog.records]
    assert said == [
        f"OTEL_TRACES_EXPORTER: nothing is exported by {name}: it may name otlp, console, none" for name in unknown
    ]


def test_every_exporter_gets_every_span() -> None:
    both = InMemorySpanExporter(), InMemorySpanExporter()
    tracing = Tracing("orchestrator", both, TelemetrySettings())
    tracing.report("f" * 32, [EndedSpan("round", "1" * 16, "2" * 16, 0, 1, {})])
    tracing.provider.get_tracer("test").start_span("call").end()
    tracing.close()
    assert [sorted(span.name for span in each.get_finished_spans()) for each in both] == [["call", "round"]] * 2


def test_an_exporter_that_cannot_be_made_is_left_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp,console")
    monkeypatch.setenv("OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER", "no_such")
    assert [type(each) for each in exporters.span_exporters()] == [ConsoleSpanExporter]
    assert "nothing is exported by otlp: RuntimeError" in caplog.text


def test_every_line_of_the_log_is_json_with_both_ids() -> None:
    code = (
        "import logging; from shared.telemetry import tracing as telemetry\n"
        "from shared.telemetry.logs import configure_logging\n"
        "from shared.records.evolution import TraceContext\n"
        "configure_logging('reward', 'INFO'); log = logging.getLogger('x')\n"
        "log.info('up %d', 1)\n"
        "with telemetry.use_context(TraceContext('a' * 32, 'b' * 16, True), 'evo_1'):\n"
        "    try: 1 / 0\n"
        "    except ZeroDivisionError: log.exception('two\\nlines')\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first, second = map(json.loads, run.stderr.splitlines())
    assert first.items() >= {"level": "INFO", "logger": "x", "message": "up 1", "service": "reward"}.items()
    assert (first["trace_id"], first["evolution_id"]) == ("", "")
    assert (second["trace_id"], second["evolution_id"]) == ("a" * 32, "evo_1")
    assert second["message"] == "two\nlines"
    assert "ZeroDivisionError" in second["exception"]
    assert first["time"].endswith("+00:00")
    assert logging.getLogger().handlers  # those of the test run are as they were
