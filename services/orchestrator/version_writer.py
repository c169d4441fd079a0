"""Saves versions, with patience where Redis is away, and tells listeners of each."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, stop_when_event_set, wait_random

from services.orchestrator import metrics
from services.orchestrator.next_version import NextVersion
from services.orchestrator.settings import OrchestratorSettings
from shared.errors import Unavailable
from shared.records.attempts import Attempt
from shared.records.events import Event
from shared.records.evolution import Record
from shared.store.evolutions import Store

SaveListener = Callable[[Record, Attempt, Sequence[Event]], Awaitable[None]]
"""Called after each save with the record as it stands now, the attempt that made it, and its events."""


class VersionWriter:
    """Saves one version after another of the evolutions that a worker performs. Use it on one event loop."""

    def __init__(self, store: Store, settings: OrchestratorSettings, listeners: Sequence[SaveListener]) -> None:
        self._store = store
        self._settings = settings
        self._listeners = listeners
        self._hurried = asyncio.Event()

    def hurry(self) -> None:
        """Has nothing wait for Redis to come back any more."""
        self._hurried.set()

    async def save(self, version: NextVersion, next_holder: str = "", request_changed: bool = False) -> bool:
        """Saves a version and notifies the listeners; returns whether `next_holder` has the lease on it now. Otherwise
        the message for the round that follows is sent.

        Where Redis is away this waits for it to come back, up to `save_patience_s` seconds or until told to hurry.

        Raises:
            Conflict: the record is at another version.
            Unavailable: Redis did not come back.
        """
        record, attempt, events = version.record, version.attempt, version.events
        lease_s = self._settings.lease_s
        save = partial(
            self._store.save,
            record,
            events,
            version.spent,
            attempt,
            version.delay_s,
            next_holder,
            lease_s,
            request_changed,
            version.told,
        )
        try:
            kept = await save()
        except Unavailable:
            patience = stop_after_delay(self._settings.save_patience_s) | stop_when_event_set(self._hurried)  # type: ignore[arg-type]
            again = retry_if_exception_type(Unavailable)
            kept = await AsyncRetrying(retry=again, stop=patience, wait=wait_random(0.1, 0.5), reraise=True)(save)
        metrics.saved(record, events, attempt, version.round_s, version.tokens)
        for notify in self._listeners:
            await notify(record, attempt, events)
        return kept
