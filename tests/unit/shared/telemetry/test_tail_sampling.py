"""What is exported of traces that are not sampled."""

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, Sampler
from opentelemetry.trace import NonRecordingSpan, SpanContext, StatusCode, TraceFlags, Tracer, set_span_in_context

from shared.telemetry.tail_sampling import KEPT, KeepingProcessor, RecordEverything

REMOTE = set_span_in_context(NonRecordingSpan(SpanContext(7, 9, is_remote=True, trace_flags=TraceFlags(0))))


def tracer_of(head: Sampler, exporter: InMemorySpanExporter, slow_s: float = 60.0) -> Tracer:
    provider = TracerProvider(RecordEverything(head))
    provider.add_span_processor(KeepingProcessor(SimpleSpanProcessor(exporter), slow_s))
    return provider.get_tracer("test")


@pytest.fixture
def exported() -> InMemorySpanExporter:
    return InMemorySpanExporter()


def names(exporter: InMemorySpanExporter) -> list[str]:
    return [span.name for span in exporter.get_finished_spans()]


def call(tracer: Tracer, failing: bool = False, **options: object) -> None:
    with (
        tracer.start_as_current_span("call", context=REMOTE, **options),
        tracer.start_as_current_span("within") as span,
    ):
        if failing:
            span.set_status(StatusCode.ERROR)


def test_sampled_spans_pass_as_they_end(exported: InMemorySpanExporter) -> None:
    call(tracer_of(ALWAYS_ON, exported))
    assert names(exported) == ["within", "call"]


def test_of_others_nothing_is_left(exported: InMemorySpanExporter) -> None:
    call(tracer_of(ParentBased(ALWAYS_ON), exported))
    call(tracer_of(ALWAYS_OFF, exported))
    assert names(exported) == []


def test_a_failure_anywhere_within_a_call_keeps_all_of_it(exported: InMemorySpanExporter) -> None:
    tracer = tracer_of(ALWAYS_OFF, exported)
    call(tracer, failing=True)
    assert names(exported) == ["within", "call"]
    within, root = exported.get_finished_spans()
    assert within.context is not None
    assert root.context is not None
    assert within.parent is not None
    assert within.context.trace_flags.sampled
    assert root.context.trace_id == 7
    assert within.parent.span_id == root.context.span_id


def test_what_is_slow_or_marked_is_kept(exported: InMemorySpanExporter) -> None:
    call(tracer_of(ALWAYS_OFF, exported, slow_s=0.0))
    call(tracer_of(ALWAYS_OFF, exported), attributes={KEPT: True})
    assert names(exported) == ["within", "call"] * 2


def test_calls_of_one_trace_at_a_time_are_kept_apart(exported: InMemorySpanExporter) -> None:
    tracer = tracer_of(ALWAYS_OFF, exported)
    fine, broken = (tracer.start_span(name, context=REMOTE) for name in ("fine", "broken"))
    tracer.start_span("of the broken one", context=set_span_in_context(broken)).end()
    fine.end()
    assert names(exported) == []
    broken.set_status(StatusCode.ERROR)
    broken.end()
    assert names(exported) == ["of the broken one", "broken"]


def test_what_never_ends_does_not_pile_up(exported: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.telemetry.tail_sampling._MAX_PARTS", 10)
    tracer = tracer_of(ALWAYS_OFF, exported)
    roots = [tracer.start_span("root", context=REMOTE) for _ in range(30)]
    for root in roots:
        tracer.start_span("child", context=set_span_in_context(root)).end()
    for root in roots:
        root.set_status(StatusCode.ERROR)
        root.end()
    assert names(exported).count("root") == 30
    assert names(exported).count("child") == 10
