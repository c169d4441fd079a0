"""Traces (OpenTelemetry, W3C Trace Context): one tracer per process, spans reported after the fact, and the context.

The context is what the code that runs belongs to: a span and an evolution. Who uses which function:

| process      | what it does                                          | function                                   |
| ------------ | ----------------------------------------------------- | ------------------------------------------ |
| gateway      | opens a span for each request                         | OpenTelemetry's own                        |
|              | says which evolution the rest of the request is about | `link_evolution`                           |
|              | stores the request's span in the record               | `current_span`                             |
| orchestrator | works on a round under the stored span                | `use_context`                              |
|              | reports the spans of an evolution once it has ended   | `Tracing.report`                           |
| services     | open a span for each call, where spans are exported   | `server_spans.server_span`                 |
|              | otherwise take over the ids in the call's headers     | `extract`                                  |
| each caller  | sends the context with its call                       | `inject`                                   |
| all          | put the ids into log lines and errors                 | `current_trace_id`, `current_evolution_id` |

The context is held in two places. OpenTelemetry's own context holds a span that this process has opened. `_headers`
below holds a span of another process, as the headers in which it travels: they are parsed only when an id is read.
Where spans are not exported, the second is all that a service has.
"""

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
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from pydantic import Field

from shared.process.settings import DarwinSettings
from shared.records.evolution import TraceContext
from shared.telemetry import environment
from shared.telemetry.exporters import resource, span_exporters, span_queue_size

_EVOLUTION = "darwin.evolution.id"
_SCOPE = InstrumentationScope("darwin", version("darwin-align"))


class TelemetrySettings(DarwinSettings):
    """Darwin's settings of traces, beside the standard `OTEL_…` variables."""

    trace_slow_s: float = Field(
        default=30.0,
        gt=0,
        description="an evolution that took as long has its spans exported although its trace is not sampled",
    )
    trace_texts: bool = Field(default=False, description="whether spans hold prompts and responses")


@dataclass(frozen=True)
class EndedSpan:
    """A span that is reported once it is over. Times are Unix seconds, ids are hex; `error` describes a failure."""

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
    """The tracer of a process. `exporting` says whether spans are exported, `texts` whether they may hold texts, and
    `slow_s` from how many seconds on an evolution is slow.

    Spans that this process opens are exported where their trace is sampled, as `OTEL_TRACES_SAMPLER` decides at its
    head. Spans that are reported are exported in any case: whoever reports them has decided.
    """

    def __init__(self, service: str, exporters: Sequence[SpanExporter], settings: TelemetrySettings) -> None:
        self.exporting = bool(exporters)
        self.slow_s = settings.trace_slow_s
        self.texts = settings.trace_texts
        self._resource = resource(service)
        self._processors: list[SpanProcessor] = []
        if not exporters:
            self.provider = TracerProvider(ALWAYS_OFF, self._resource, shutdown_on_exit=False)
            return
        self.provider = TracerProvider(resource=self._resource, shutdown_on_exit=False)
        # One for each, so that none waits for another.
        self._processors += [BatchSpanProcessor(each, max_queue_size=span_queue_size()) for each in exporters]
        for processor in self._processors:
            self.provider.add_span_processor(processor)

    def report(self, trace_id: str, spans: Sequence[EndedSpan]) -> None:
        """Exports ended spans of a trace, whether or not the trace is sampled."""
        for span in spans if self._processors else ():
            readable = self._readable(trace_id, span)
            for processor in self._processors:
                processor.on_end(readable)

    def close(self) -> None:
        """Exports the spans that wait. No span is recorded afterwards."""
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


# Headers (traceparent, baggage) of the span that the running code belongs to, where that span is of another process.
_headers: ContextVar[Mapping[str, str]] = ContextVar("headers", default=MappingProxyType({}))
# The evolution's id, as in the baggage of `_headers`, for `use_context`'s callers: it saves parsing them.
_evolution_id: ContextVar[str] = ContextVar("evolution_id", default="")


def start_tracing(service: str, trusts_callers: bool = True) -> Tracing:
    """Sets up tracing for this process as the environment says. Call it once, and `close` what it returns at the end.

    From callers that are not trusted only the trace's ids are taken, and no baggage. The log says what of the
    environment cannot be used.
    """
    environment.settle()
    environment.log_warnings()
    tracing = Tracing(service, span_exporters(), TelemetrySettings())
    trace.set_tracer_provider(tracing.provider)
    baggage_propagators = [W3CBaggagePropagator()] if trusts_callers else []
    propagate.set_global_textmap(CompositePropagator([TraceContextTextMapPropagator(), *baggage_propagators]))
    return tracing


def current_trace_id() -> str:
    """The id of the trace that the running code belongs to: 32 hex digits, or empty."""
    found = trace.get_current_span(_context()).get_span_context()
    return trace.format_trace_id(found.trace_id) if found.is_valid else ""


def current_evolution_id() -> str:
    """The id of the evolution that the running code is about, or empty."""
    return _evolution_id.get() or str(baggage.get_baggage(_EVOLUTION, _context()) or "")


def current_span() -> TraceContext | None:
    """The span that the running code belongs to, for other processes to continue."""
    found = trace.get_current_span(_context()).get_span_context()
    if not found.is_valid:
        return None
    trace_id, span_id = trace.format_trace_id(found.trace_id), trace.format_span_id(found.span_id)
    return TraceContext(trace_id, span_id, bool(found.trace_flags.sampled))


def link_evolution(evolution_id: str) -> None:
    """From now on, what this asyncio task does and logs is about this evolution."""
    context.attach(baggage.set_baggage(_EVOLUTION, evolution_id))


@contextmanager
def use_context(parent: TraceContext | None, evolution_id: str = "") -> Iterator[None]:
    """Code inside belongs to the span `parent`, which may be of another process, and is about this evolution.

    Where one of them is not given, that of the context outside stays.
    """
    headers = dict(_headers.get())
    if parent is not None:
        headers["traceparent"] = f"00-{parent.trace_id}-{parent.span_id}-{'01' if parent.sampled else '00'}"
    if evolution_id:
        headers["baggage"] = f"{_EVOLUTION}={evolution_id}"
    outer_headers, outer_id = _headers.set(headers), _evolution_id.set(evolution_id or _evolution_id.get())
    try:
        yield
    finally:
        _headers.reset(outer_headers)
        _evolution_id.reset(outer_id)


def extract(headers: Mapping[str, str]) -> None:
    """From now on, what this asyncio task does belongs to the span that the headers of its caller name."""
    _headers.set({name: headers[name] for name in ("traceparent", "baggage") if name in headers})
    _evolution_id.set("")


def inject() -> tuple[tuple[str, str], ...]:
    """The context as gRPC metadata, with which the callee continues the trace."""
    if headers := _headers.get():
        return tuple(headers.items())
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return tuple(carrier.items())


def _context() -> Context:
    headers = _headers.get()
    return propagate.extract(headers, context.get_current()) if headers else context.get_current()


def _span_context(trace_id: str, span_id: str, sampled: bool, remote: bool = True) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=remote, trace_flags=flags)
