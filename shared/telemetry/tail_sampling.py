"""What is exported of a trace that is not sampled: what failed or was slow, with everything under it.

The head sampler decides for a whole trace before anything is known of it. A process that holds on to its own part of
an unsampled trace until that part is over can still tell what went wrong there.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanContext, SpanKind, StatusCode, TraceFlags, TraceState
from opentelemetry.util.types import Attributes

KEPT = "darwin.kept"
"""An attribute of spans that are to be exported anyway."""

# Parts that are held, and spans of one.
_MAX_PARTS = 4096
_MAX_SPANS = 1024


class RecordEverything(Sampler):
    """Another sampler, with what it drops recorded but not sampled."""

    def __init__(self, head: Sampler) -> None:
        self._head = head

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        decided = self._head.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)
        if decided.decision is not Decision.DROP:
            return decided
        return SamplingResult(Decision.RECORD_ONLY, attributes, decided.trace_state)

    def get_description(self) -> str:
        return f"RecordEverything({self._head.get_description()})"


class KeepingProcessor(SpanProcessor):
    """Passes sampled spans on as they end; of the others, the part of a trace that failed or took `slow_s` seconds.

    A part is what one call caused in this process: it ends with the span whose parent is elsewhere, or nowhere.
    """

    def __init__(self, then: SpanProcessor, slow_s: float) -> None:
        self._then = then
        self._slow_ns = slow_s * 1e9
        # By span id: the first span of the part that each open span belongs to, and the spans of each part that ended.
        self._first: dict[int, int] = {}
        self._parts: OrderedDict[int, list[ReadableSpan]] = OrderedDict()
        self._lock = threading.Lock()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        self._then.on_start(span, parent_context)
        if not span.context.trace_flags.sampled:
            own, parent = span.context.span_id, span.parent
            with self._lock:
                self._first[own] = self._first.get(parent.span_id, own) if parent else own

    def on_end(self, span: ReadableSpan) -> None:
        assert span.context is not None
        if span.context.trace_flags.sampled:
            self._then.on_end(span)
            return
        for kept in self._ended(span, span.context.span_id):
            self._then.on_end(_sampled(kept))

    def _ended(self, span: ReadableSpan, own: int) -> list[ReadableSpan]:
        """The part that ends with this span, where there is reason to keep it."""
        with self._lock:
            first = self._first.pop(own, own)
            part = self._parts.setdefault(first, [])
            if len(part) < _MAX_SPANS:
                part.append(span)
            if first != own:
                while len(self._parts) > _MAX_PARTS:
                    self._parts.popitem(last=False)
                return []
            del self._parts[first]
        return part if any(map(self._matters, part)) else []

    def shutdown(self) -> None:
        self._then.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._then.force_flush(timeout_millis)

    def _matters(self, span: ReadableSpan) -> bool:
        took_ns = (span.end_time or 0) - (span.start_time or 0)
        wanted = bool(span.attributes and span.attributes.get(KEPT))
        return wanted or span.status.status_code is StatusCode.ERROR or took_ns >= self._slow_ns


def _sampled(span: ReadableSpan) -> ReadableSpan:
    found = span.context
    assert found is not None
    flags = TraceFlags(found.trace_flags | TraceFlags.SAMPLED)
    return ReadableSpan(
        name=span.name,
        context=SpanContext(found.trace_id, found.span_id, found.is_remote, flags, found.trace_state),
        parent=span.parent,
        resource=span.resource,
        attributes=span.attributes,
        events=span.events,
        links=span.links,
        kind=span.kind,
        status=span.status,
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )
