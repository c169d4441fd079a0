"""Starting, following and cancelling evolutions: what every route does through the store and the queue."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import TypeVar

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_fixed

from shared.errors import NotFound, Unavailable
from shared.records.attempts import Attempt
from shared.records.evolution import TERMINAL, Ended, Event, Record
from shared.store.evolutions import ActiveLimits, Store
from shared.store.queries import StoredEvent

log = logging.getLogger(__name__)

# Bounds how long an evolution whose last event was missed keeps a follower; shorter than Redis's socket timeout.
_BLOCK_S = 2.0
# How long followers wait for Redis to come back, and how often they try.
_PATIENCE_S = 30.0
_RETRY_S = 0.5

T = TypeVar("T")


class EvolutionService:
    """Evolutions as the gateway sees them; raises `Unavailable` where Redis is away."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def start(self, record: Record, limits: ActiveLimits) -> Record:
        """Stores an evolution and asks a worker to begin, or returns that which its idempotency key stands for.

        It is accepted once stored; raises as `Store.create` does.
        """
        return await self._store.create(record, limits)

    async def load(self, evolution_id: str, reads: str | None) -> Record:
        """The record as it stands; `NotFound` where there is none, and alike where the caller, who `reads` one tenant's
        evolutions or everybody's (None), may not see it."""
        record = await self._store.load(evolution_id)
        if reads is not None and record.request.tenant != reads:
            raise NotFound(f"no evolution {evolution_id}")
        return record

    async def recorded(self, evolution_id: str, reads: str | None) -> tuple[Record, list[Event], list[Attempt]]:
        """The record with the events and attempts that led to this very version of it; raises as `load` does."""
        while True:
            record = await self.load(evolution_id, reads)
            events, attempts = await self._store.events(evolution_id), await self._store.attempts(evolution_id)
            if (await self._store.load(evolution_id)).version == record.version:
                return record, [stored.event for stored in events], attempts

    async def follow(self, evolution_id: str, after: str = "0") -> AsyncIterator[StoredEvent]:
        """Events past position `after`, as they come, until the evolution has ended; sits out a restart of Redis."""
        block_s, finished = 0.0, False
        while True:
            stored = await _patiently(partial(self._store.events, evolution_id, after, block_s))
            for item in stored:
                after = item.id
                yield item
                if isinstance(item.event, Ended):
                    return
            if not stored:
                if finished:
                    return
                finished = (await _patiently(partial(self._store.load, evolution_id))).status in TERMINAL
            block_s = 0.0 if finished else _BLOCK_S

    async def ended(self, evolution_id: str) -> Record:
        """Waits for the end; the final record."""
        async for _ in self.follow(evolution_id):
            pass
        return await self._store.load(evolution_id)

    async def cancel(self, evolution_id: str, tenant: str, reads: str | None) -> Record:
        """Asks for the end of an evolution of `tenant`, and returns the record at that moment; a finished one stays as
        it is. Raises as `load` does, and for what may be read only."""
        record = await self.load(evolution_id, reads)
        if record.request.tenant != tenant:
            raise NotFound(f"evolution {evolution_id} is another tenant's: it can be read here, not cancelled")
        if record.status not in TERMINAL:
            await self._store.request_cancel(evolution_id)
            await self._store.send(record.id, record.version)
        return record


async def _patiently(read: Callable[[], Awaitable[T]]) -> T:
    """What `read` returns, once Redis is back; its last `Unavailable` where that takes too long."""
    retrying = AsyncRetrying(
        retry=retry_if_exception_type(Unavailable),
        stop=stop_after_delay(_BLOCK_S + _PATIENCE_S),
        wait=wait_fixed(_RETRY_S),
        reraise=True,
    )
    return await retrying(read)
