"""Tells of evolutions as they are saved: their spans, where somebody reads them."""

import logging
from collections.abc import Sequence

from services.orchestrator import spans
from shared.errors import DarwinError
from shared.recording import Attempt
from shared.records import TERMINAL, Event, Record
from shared.store import Store
from shared.telemetry import Finished, Tracing

log = logging.getLogger(__name__)


class Telling:
    """Exports the spans of sampled evolutions round by round, of others that failed or were slow once they have ended.

    Everything is made from what is stored, so a span never tells of what was not saved, and what a lost worker did is
    told by its successor. A worker that is killed between its last save and the export takes the evolution's own
    span with it.
    """

    def __init__(self, tracing: Tracing, store: Store) -> None:
        self._tracing = tracing
        self._store = store

    async def saved(self, record: Record, attempt: Attempt, events: Sequence[Event]) -> None:
        """To be called after each save."""
        trace = record.trace
        if trace is None or not self._tracing.exporting:
            return
        told: list[Finished] = []
        texts = self._tracing.texts
        if trace.sampled:
            told += spans.attempt_spans(record, attempt, events, texts)
        if record.status in TERMINAL and (trace.sampled or self._kept(record)):
            try:
                told += await self._ended(record)
            except DarwinError as error:
                log.warning("the spans of the whole evolution are missing: %s", error.message)
        self._tracing.tell(trace.trace_id, told)

    def _kept(self, record: Record) -> bool:
        seconds = (record.finished_at or record.created_at) - record.created_at
        return record.status == "failed" or seconds >= self._tracing.slow_s

    async def _ended(self, record: Record) -> list[Finished]:
        assert record.trace is not None
        texts, attempts = self._tracing.texts, await self._store.attempts(record.id)
        told = list(spans.closing_spans(record, attempts, texts))
        if not record.trace.sampled:
            events = [stored.event for stored in await self._store.events(record.id)]
            at = 1  # past the event of its acceptance
            for attempt in attempts:
                told += spans.attempt_spans(record, attempt, events[at : at + attempt.events], texts)
                at += attempt.events
        return told
