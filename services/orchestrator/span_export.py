"""Exports the spans of evolutions that have ended."""

import logging
from collections.abc import Sequence

from services.orchestrator import spans
from shared.errors import DarwinError
from shared.records.attempts import Attempt, whole_calls
from shared.records.events import Event
from shared.records.evolution import TERMINAL, Record
from shared.store.evolutions import Store
from shared.telemetry.tracing import EndedSpan, Tracing

log = logging.getLogger(__name__)


class SpanExport:
    """Exports the spans of evolutions that are sampled, failed or were slow.

    All spans of an evolution are made at its end, from what is stored. So no span reports what was not saved, and the
    spans of a worker that was killed midway are exported with the rest. A trace is lost only where a worker is killed
    between the last save and the export.
    """

    def __init__(self, tracing: Tracing, store: Store) -> None:
        self._tracing = tracing
        self._store = store

    async def on_saved(self, record: Record, attempt: Attempt, events: Sequence[Event]) -> None:
        """A listener for saves: exports the spans where this save ended the evolution."""
        trace = record.trace
        if trace is None or record.status not in TERMINAL or not self._tracing.exporting:
            return
        if trace.sampled or self._failed_or_slow(record):
            try:
                self._tracing.report(trace.trace_id, await self._spans(record))
            except DarwinError as error:
                log.warning("the evolution's spans are missing: %s", error.message)

    def _failed_or_slow(self, record: Record) -> bool:
        seconds = (record.finished_at or record.created_at) - record.created_at
        return record.error is not None or seconds >= self._tracing.slow_s

    async def _spans(self, record: Record) -> list[EndedSpan]:
        texts, attempts = self._tracing.texts, await self._store.attempts(record.id)
        events = [stored.event for stored in await self._store.events(record.id)]
        made = list(spans.closing_spans(record, attempts, texts))
        position = 1  # the event at 0 is that of the acceptance, which no attempt made
        for attempt, calls in zip(attempts, whole_calls(attempts), strict=True):
            saved = events[position : position + attempt.events]
            made += spans.attempt_spans(record, attempt, calls, saved, texts)
            position += attempt.events
        return made
