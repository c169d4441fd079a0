"""Starting, reading, following and cancelling evolutions: what every route does through the store."""

import logging
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from services.gateway.edge.search_times import SearchTimes
from services.gateway.evolutions.following import Following
from shared.errors import Conflict, NotFound
from shared.records.attempts import Attempt
from shared.records.events import Event
from shared.records.evolution import TERMINAL, Record
from shared.store.evolutions import Store
from shared.store.kept_events import StoredEvent
from shared.store.limits import ActiveLimits

log = logging.getLogger(__name__)

# A search that ended longer ago says nothing of how long searches take now.
_RECENT_S = 300.0


class EvolutionService:
    """Evolutions as the gateway sees them; its methods raise `Unavailable` where Redis is away.

    `readable_tenant` is the tenant whose evolutions the caller may read, None where it may read every tenant's
    (`Caller.readable_tenant`).
    """

    def __init__(self, store: Store, times: SearchTimes) -> None:
        self._store = store
        self._times = times
        self._following = Following(store)

    @property
    def search_s(self) -> int:
        """Seconds that searches took lately."""
        return self._times.retry_after_s

    async def start(self, record: Record, limits: ActiveLimits) -> Record:
        """Stores an evolution and queues its first round, or returns that which its idempotency key stands for.

        An evolution is accepted once it is stored. Raises as `Store.create` does.
        """
        return await self._store.create(record, limits)

    async def load(self, evolution_id: str, readable_tenant: str | None) -> Record:
        """The record as it stands.

        Raises:
            NotFound: there is none, or the caller may not read it; the two look alike.
        """
        return self._readable(await self._store.load(evolution_id), readable_tenant)

    async def load_history(
        self, evolution_id: str, readable_tenant: str | None
    ) -> tuple[Record, list[Event], list[Attempt]]:
        """The record with the events and attempts that led to this very version of it; raises as `load` does."""
        record, events, attempts = await self._store.history(evolution_id)
        return self._readable(record, readable_tenant), events, attempts

    async def follow(self, evolution_id: str, after: str = "0") -> AsyncGenerator[StoredEvent]:
        """Yields the events past position `after` as they come, until the evolution has ended.

        A restart of Redis only delays them.
        """
        told = await self._store.told(evolution_id, after)
        async with aclosing(self._following.events(evolution_id, after)) as events:
            async for together in events:
                for event in together.whole(told, after):
                    yield event

    async def wait(self, evolution_id: str) -> Record:
        """Waits until the evolution has ended, and returns the final record."""
        async with aclosing(self._following.events(evolution_id)) as events:
            async for _ in events:
                pass
        record = await self._store.load(evolution_id)
        self._note_time(record)
        return record

    async def cancel(self, evolution_id: str, tenant: str, readable_tenant: str | None) -> Record:
        """Asks for the end of an evolution of `tenant`, and returns the record at that moment.

        An evolution that has ended stays as it is.

        Raises:
            NotFound: as `load` does, and where the evolution may be read but is another tenant's.
        """
        record = await self.load(evolution_id, readable_tenant)
        if record.request.tenant != tenant:
            raise NotFound(f"evolution {evolution_id} is another tenant's: it can be read here, not cancelled")
        if record.status not in TERMINAL:
            await self._store.request_cancel(evolution_id)
        return record

    async def keep_feedback(self, evolution_id: str, tenant: str, readable_tenant: str | None, score: float) -> Record:
        """Keeps users' feedback about the answer of an evolution of `tenant`, once; sent again, nothing changes.

        Raises:
            NotFound: as `cancel` does.
            Conflict: it has no answer, or other feedback.
        """
        record = await self.load(evolution_id, readable_tenant)
        if record.request.tenant != tenant:
            raise NotFound(f"evolution {evolution_id} is another tenant's: feedback is its own to give")
        if record.status not in TERMINAL or not (record.result and record.result.choices):
            raise Conflict(f"evolution {evolution_id} has no answer" + ("" if record.status in TERMINAL else " yet"))
        if (kept := await self._store.keep_feedback(record, score)) != score:
            raise Conflict(f"evolution {evolution_id} has feedback already, of {kept:g}")
        return record

    async def stop(self, record: Record) -> None:
        """Asks for the end of an evolution that nobody waits for."""
        await self._store.request_cancel(record.id)

    async def waiting(self, tenant: str) -> bool:
        """Whether an evolution of the tenant's waits for its turn."""
        return await self._store.waiting_of(tenant)

    async def delete(self, record: Record) -> None:
        """Deletes an evolution that has ended.

        Raises:
            Conflict: it is under way.
        """
        if not await self._store.delete(record):
            raise Conflict(f"evolution {record.id} is under way: cancel it or wait for its end, then delete it")

    def _readable(self, record: Record, readable_tenant: str | None) -> Record:
        if readable_tenant is not None and record.request.tenant != readable_tenant:
            raise NotFound(f"no evolution {record.id}")
        self._note_time(record)
        return record

    def _note_time(self, record: Record) -> None:
        if record.status == "succeeded" and record.finished_at and time.time() - record.finished_at < _RECENT_S:
            self._times.note(record.id, record.finished_at - record.created_at)
