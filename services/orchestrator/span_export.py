"""Tells of evolutions once they have ended: their spans, where somebody reads them."""

import logging
from collections.abc import Sequence

from services.orchestrator import spans
from shared.errors import DarwinError
from shared.records.attempts import Attempt
from shared.records.evolution import TERMINAL, Event, Record
from shared.store.evolutions import Store
from shared.telemetry.tracing import EndedSpan, Tracing

log = logging.getLogger(__name__)


class SpanExport:
    """Exports the spans of evolutions that are sampled, failed or were slow.

    All at once at the end, from what is stored: so no span tells of what was not saved, none is lost with a worker that
    was killed midway, and what that worker was doing is told with the rest. Only a worker that is killed between the
    last save and the export takes a trace with it.
    """

    def __init__(self, tracing: Tracing, store: Store) -> None:
        self._tracing = tracing
        self._store = store

    async def saved(self, record: Record, attempt: Attempt, events: Sequence[Event]) -> None:
        """To be called after each save."""
        trace = record.trace
        if trace is None or record.status not in TERMINAL or not self._tracing.exporting:
            return
        if trace.sampled or self._kept(record):
            try:
                self._tracing.report(trace.trace_id, await self._spans(record))
            except DarwinError as error:
                log.warning("the evolution's spans are missing: %s", error.message)

    def _kept(self, record: Record) -> bool:
        seconds = (record.finished_at or record.created_at) - record.created_at
        return record.status == "failed" or seconds >= self._tracing.slow_s

    async def _spans(self, record: Record) -> list[EndedSpan]:
        texts, attempts = self._tracing.texts, await self._store.attempts(record.id)
        events = [stored.event for stored in await self._store.events(record.id)]
        told = list(spans.closing_spans(record, attempts, texts))
        at = 1  # past the event of its acceptance
        for attempt in attempts:
            told += spans.attempt_spans(record, attempt, events[at : at + attempt.events], texts)
            at += attempt.events
        return told
