"""The spans of evolutions that did not go smoothly, over a real Redis with the other stages in memory."""

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from services.orchestrator.round_runner import RoundRunner
from services.orchestrator.settings import OrchestratorSettings
from services.orchestrator.span_export import SpanExport
from shared.errors import Unavailable
from shared.records.evolution import TraceContext
from shared.store.evolutions import Store
from shared.telemetry.tracing import TelemetrySettings, Tracing
from tests.integration.stages import REQUEST, Due, Stages, finish, record_of

REQUEST_SPAN = "b" * 16


class Slow(InMemorySpanExporter):
    """As slow as a collector far away."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        time.sleep(0.3)
        return super().export(spans)


class ExportingWorker:
    """A worker whose spans can be read."""

    def __init__(self, store: Store, stages: Stages, slow_s: float = 60.0, **settings: float) -> None:
        self._exporter = Slow()
        self._tracing = Tracing("orchestrator", [self._exporter], TelemetrySettings(trace_slow_s=slow_s))
        listeners = [SpanExport(self._tracing, store).on_saved]
        chosen = OrchestratorSettings(**settings)  # type: ignore[arg-type]
        self.worker = RoundRunner(store, stages, stages, stages, chosen, listeners)

    def spans(self) -> Sequence[ReadableSpan]:
        self._tracing.close()
        return self._exporter.get_finished_spans()


async def accepted(store: Store, sampled: bool = True, cycles: int = 1, period: int = 6) -> Due:
    request = replace(
        REQUEST, search=replace(REQUEST.search, cycles=cycles, period=period, mutants=5 if cycles < 3 else 40)
    )
    trace = TraceContext(uuid.uuid4().hex, REQUEST_SPAN, sampled)
    record = await store.create(replace(record_of(request), trace=trace))
    return Due(record.id, 0)


def span_id(span: ReadableSpan) -> str:
    assert span.context is not None
    return f"{span.context.span_id:016x}"


def parent_id(span: ReadableSpan) -> str:
    assert span.parent is not None
    return f"{span.parent.span_id:016x}"


def named(spans: Sequence[ReadableSpan], name: str) -> list[ReadableSpan]:
    return [span for span in spans if span.name == name]


def failed(span: ReadableSpan) -> bool:
    return not span.status.is_ok and span.status.description is not None


def check_whole(spans: Sequence[ReadableSpan]) -> None:
    """Every span has its parent among the spans, but the evolution's, which is the request's."""
    ids = [span_id(span) for span in spans]
    assert len(ids) == len(set(ids))
    assert {parent_id(span) for span in spans} - set(ids) == {REQUEST_SPAN}
    assert all(span.start_time <= span.end_time for span in spans if span.start_time and span.end_time)


@pytest.mark.usefixtures("no_retries")
async def test_a_failed_round_is_exported_and_the_next_attempt_is_linked_to_it(store: Store) -> None:
    due = await accepted(store)
    exporting = ExportingWorker(store, Stages(scoring_failures=[Unavailable("away")]))
    await finish(store, exporting.worker, due)
    spans = exporting.spans()
    check_whole(spans)
    (lost,) = [span for span in named(spans, "round") if failed(span)]
    (repeated,) = [span for span in named(spans, "round") if span.links]
    assert [f"{link.context.span_id:016x}" for link in repeated.links] == [span_id(lost)]
    assert (lost.attributes or {})["error.type"] == "Unavailable"
    (call,) = [span for span in named(spans, "score") if failed(span)]
    assert parent_id(call) == span_id(lost)
    assert Counter(span.name for span in spans if failed(span)) == {"round": 1, "score": 1}


async def test_an_interrupted_round_is_linked_to_by_the_worker_that_goes_on(store: Store) -> None:
    due = await accepted(store)
    first, second = ExportingWorker(store, slow := Stages(delay_s=5)), ExportingWorker(store, Stages())
    task = asyncio.ensure_future(first.worker.advance(due.evolution_id, due.version))
    await slow.called.wait()
    first.worker.interrupt()
    await task
    assert (await store.load(due.evolution_id)).version == 1
    await finish(store, second.worker, Due(due.evolution_id, 1))
    assert not first.spans()
    spans = second.spans()
    check_whole(spans)
    (resumed,) = [span for span in named(spans, "round") if span.links]
    interrupted = min(named(spans, "round"), key=lambda span: span.start_time or 0)
    assert [f"{link.context.span_id:016x}" for link in resumed.links] == [span_id(interrupted)]


async def test_an_attempt_that_was_lost_is_exported_by_its_successor(store: Store) -> None:
    due = await accepted(store)
    lost = uuid.uuid4().hex
    assert await store.claim(due.evolution_id, 0, lost, ttl_s=0.05) is not None
    await asyncio.sleep(0.1)
    exporting = ExportingWorker(store, Stages())
    await finish(store, exporting.worker, due)
    spans = exporting.spans()
    check_whole(spans)
    (gone,) = [span for span in spans if failed(span)]
    assert (gone.name, span_id(gone)) == ("round", lost[:16])
    (repeated,) = [span for span in named(spans, "round") if span.links]
    assert [f"{link.context.span_id:016x}" for link in repeated.links] == [lost[:16]]


@pytest.mark.parametrize("slow_s", [0.0001, 60.0])
async def test_unsampled_evolutions_are_exported_whole_where_they_were_slow(store: Store, slow_s: float) -> None:
    whole, quiet = ExportingWorker(store, Stages()), ExportingWorker(store, Stages(), slow_s=slow_s)
    await finish(store, whole.worker, await accepted(store, cycles=2))
    await finish(store, quiet.worker, await accepted(store, sampled=False, cycles=2))
    spans = quiet.spans()
    if slow_s == 60.0:
        assert not spans
    else:
        check_whole(spans)
        counted = [Counter(span.name for span in one if span.name != "score") for one in (spans, whole.spans())]
        assert counted[0] == counted[1]
        assert counted[0]["cycle"] == 2


@pytest.mark.usefixtures("no_retries")
async def test_an_unsampled_evolution_that_failed_is_exported(store: Store) -> None:
    due = await accepted(store, sampled=False)
    exporting = ExportingWorker(store, Stages(failures=[Unavailable("away")] * 9), max_attempts=2)
    await finish(store, exporting.worker, due)
    spans = exporting.spans()
    check_whole(spans)
    (evolution,) = named(spans, "evolution")
    assert (failed(evolution), (evolution.attributes or {})["darwin.status"]) == (True, "failed")
    assert len(named(spans, "round")) == 2


async def test_a_large_evolution_is_exported_whole(store: Store) -> None:
    stages = Stages()
    stages.world.end_probability = 0.01
    exporting = ExportingWorker(store, stages)
    await finish(store, exporting.worker, await accepted(store, cycles=6, period=1))
    spans = exporting.spans()
    check_whole(spans)
    assert len(spans) > 2048, "what OpenTelemetry's processor holds by default"
