"""Traces (OpenTelemetry, W3C Trace Context): one tracer per process, and spans that are told of after the fact.

Spans are exported where the standard variables name an exporter: `OTEL_TRACES_EXPORTER=otlp` (or `console`), or an
`OTEL_EXPORTER_OTLP_ENDPOINT`. Otherwise nothing is recorded, and trace ids are still made, passed on and answered.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from importlib.metadata import version
from types import MappingProxyType
from typing import Any

from opentelemetry import baggage, context, propagate, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.sdk.environment_variables import (
    OTEL_BSP_MAX_QUEUE_SIZE,
    OTEL_EXPORTER_OTLP_ENDPOINT,
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT,
    OTEL_SDK_DISABLED,
)
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from pydantic import Field

from shared.process.settings import DarwinSettings, SettingsError
from shared.records.evolution import TraceContext
from shared.telemetry.exporters import protocol, resource
from shared.telemetry.tail_sampling import KEPT, KeepingProcessor, RecordEverything

OTEL_TRACES_EXPORTER = "OTEL_TRACES_EXPORTER"
_EVOLUTION = "darwin.evolution.id"
_QUEUE_SIZE = 32_768
_SCOPE = InstrumentationScope("darwin", version("darwin-align"))


class TelemetrySettings(DarwinSettings):
    """Beside the standard `OTEL_…` variables."""

    trace_slow_s: float = Field(
        default=30.0, gt=0, description="what took as long is exported although its trace is not sampled"
    )
    trace_texts: bool = Field(default=False, description="whether spans hold prompts and responses")


@dataclass(frozen=True)
class EndedSpan:
    """A span that is told of once it is over. Times are Unix seconds; `error` is a description of what went wrong."""

    name: str
    span_id: str
    parent_id: str
    started_at: float
    ended_at: float
    attributes: Mapping[str, Any]
    kind: SpanKind = SpanKind.INTERNAL
    links: tuple[str, ...] = ()
    error: str | None = None


class Tracing:
    """A process's tracer. `exporting` says whether anybody reads it, `texts` whether spans may hold texts."""

    def __init__(self, service: str, exporter: SpanExporter | None, settings: TelemetrySettings) -> None:
        self.exporting = exporter is not None
        self.slow_s = settings.trace_slow_s
        self.texts = settings.trace_texts
        self._resource = resource(service)
        self._processor: SpanProcessor | None = None
        if exporter is None:
            self.provider = TracerProvider(ALWAYS_OFF, self._resource, shutdown_on_exit=False)
            return
        # The sampler that OTEL_TRACES_SAMPLER names decides for whole traces at their head.
        head = TracerProvider(resource=self._resource).sampler
        self.provider = TracerProvider(RecordEverything(head), self._resource, shutdown_on_exit=False)
        self._processor = BatchSpanProcessor(exporter, max_queue_size=_queue_size())
        self.provider.add_span_processor(KeepingProcessor(self._processor, self.slow_s))

    def report(self, trace_id: str, spans: Sequence[EndedSpan]) -> None:
        """Exports spans of a trace, whether or not it is sampled."""
        if self._processor is not None:
            for span in spans:
                self._processor.on_end(self._readable(trace_id, span))

    def close(self) -> None:
        """Exports what waits; nothing is recorded afterwards."""
        self.provider.shutdown()

    def _readable(self, trace_id: str, span: EndedSpan) -> ReadableSpan:
        parent = _span_context(trace_id, span.parent_id, sampled=True)
        return ReadableSpan(
            name=span.name,
            context=_span_context(trace_id, span.span_id, sampled=True, remote=False),
            parent=parent,
            resource=self._resource,
            attributes={name: value for name, value in span.attributes.items() if value is not None},
            links=[Link(_span_context(trace_id, link, sampled=True)) for link in span.links],
            kind=span.kind,
            status=Status(StatusCode.ERROR, span.error) if span.error is not None else Status(StatusCode.UNSET),
            start_time=int(span.started_at * 1e9),
            end_time=int(span.ended_at * 1e9),
            instrumentation_scope=_SCOPE,
        )


# Where this process records no span of its own for what is under way, the headers that say what it belongs to. They
# are passed on as they are, and read only when somebody asks for an id.
_carried: ContextVar[Mapping[str, str]] = ContextVar("carried", default=MappingProxyType({}))
# What `_carried` says too, where it was set here and need not be read from there.
_evolution_id: ContextVar[str] = ContextVar("evolution_id", default="")


def start_tracing(service: str, trusts_callers: bool = True) -> Tracing:
    """This process's tracing, as the environment says; call it once, and `close` what it returns at the end.

    Callers that are not trusted may name the trace they are in, and nothing else.

    Raises:
        SettingsError: a variable names an exporter or a protocol that there is none of.
    """
    tracing = Tracing(service, _exporter(), TelemetrySettings())
    trace.set_tracer_provider(tracing.provider)
    baggage_too = [W3CBaggagePropagator()] if trusts_callers else []
    propagate.set_global_textmap(CompositePropagator([TraceContextTextMapPropagator(), *baggage_too]))
    return tracing


def exporting() -> bool:
    """Whether this process's spans are read by anybody."""
    return _exporter_named(os.environ) != "none"


def keep() -> None:
    """What is under way is exported whatever is sampled: something went wrong that its own status does not say."""
    trace.get_current_span().set_attribute(KEPT, True)


def current_trace_id() -> str:
    """32 hex digits of the trace under way, or nothing."""
    found = trace.get_current_span(_context()).get_span_context()
    return trace.format_trace_id(found.trace_id) if found.is_valid else ""


def current_evolution_id() -> str:
    """The evolution that is being worked on, or nothing."""
    return _evolution_id.get() or str(baggage.get_baggage(_EVOLUTION, _context()) or "")


def current_span() -> TraceContext | None:
    """The span under way, for others to continue."""
    found = trace.get_current_span(_context()).get_span_context()
    if not found.is_valid:
        return None
    trace_id, span_id = trace.format_trace_id(found.trace_id), trace.format_span_id(found.span_id)
    return TraceContext(trace_id, span_id, bool(found.trace_flags.sampled))


def link_evolution(evolution_id: str) -> None:
    """What this task does and logs from now on is about an evolution."""
    context.attach(baggage.set_baggage(_EVOLUTION, evolution_id))


@contextmanager
def use_context(parent: TraceContext | None, evolution_id: str = "") -> Iterator[None]:
    """What happens inside belongs to this span, of whatever process, and is about this evolution."""
    headers = dict(_carried.get())
    if parent is not None:
        headers["traceparent"] = f"00-{parent.trace_id}-{parent.span_id}-{'01' if parent.sampled else '00'}"
    if evolution_id:
        headers["baggage"] = f"{_EVOLUTION}={evolution_id}"
    carried, known = _carried.set(headers), _evolution_id.set(evolution_id or _evolution_id.get())
    try:
        yield
    finally:
        _carried.reset(carried)
        _evolution_id.reset(known)


def extract(headers: Mapping[str, str]) -> None:
    """What this task does from now on belongs to the span that its caller's headers name."""
    _carried.set({name: headers[name] for name in ("traceparent", "baggage") if name in headers})
    _evolution_id.set("")


def inject() -> tuple[tuple[str, str], ...]:
    """gRPC metadata that lets the callee continue what is under way here."""
    if carried := _carried.get():
        return tuple(carried.items())
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return tuple(carrier.items())


def _context() -> Context:
    headers = _carried.get()
    return propagate.extract(headers, context.get_current()) if headers else context.get_current()


def _span_context(trace_id: str, span_id: str, sampled: bool, remote: bool = True) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=remote, trace_flags=flags)


def _queue_size() -> int:
    """A large evolution is told at once, in more spans than the standard's default of 2048."""
    try:
        return int(os.environ.get(OTEL_BSP_MAX_QUEUE_SIZE) or _QUEUE_SIZE)
    except ValueError:
        raise SettingsError(f"{OTEL_BSP_MAX_QUEUE_SIZE} must be a number") from None


def _exporter_named(environment: Mapping[str, str]) -> str:
    """otlp, console, none or whatever else was asked for."""
    if environment.get(OTEL_SDK_DISABLED, "").strip().lower() == "true":
        return "none"
    endpoint = environment.get(OTEL_EXPORTER_OTLP_TRACES_ENDPOINT) or environment.get(OTEL_EXPORTER_OTLP_ENDPOINT)
    asked = environment.get(OTEL_TRACES_EXPORTER, "").strip().lower()
    return asked or ("otlp" if endpoint else "none")


def _exporter() -> SpanExporter | None:
    match _exporter_named(os.environ):
        case "none":
            return None
        case "console":
            return ConsoleSpanExporter()
        case "otlp":
            return _otlp()
        case other:
            raise SettingsError(f"{OTEL_TRACES_EXPORTER} must be otlp, console or none, not {other}")


def _otlp() -> SpanExporter:
    if protocol("TRACES") == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as Grpc

        return Grpc()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as Http

    return Http()
