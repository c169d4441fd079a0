"""How a call waits for the answer of its evolution, and what becomes of the evolution when the caller hangs up."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence

from fastapi import Request

from services.gateway.api import outside
from services.gateway.config.settings import GatewaySettings
from services.gateway.edge.lifetime import Lifetime, take_until
from services.gateway.evolutions.service import EvolutionService
from shared.errors import Cancelled, DarwinError, DeadlineExceeded, Unavailable
from shared.records.events import Ended, Event
from shared.records.evolution import Record

log = logging.getLogger(__name__)


class Waiting:
    """Waits for evolutions on behalf of callers."""

    def __init__(self, evolutions: EvolutionService, settings: GatewaySettings, lifetime: Lifetime) -> None:
        self._evolutions = evolutions
        self._settings = settings
        self._lifetime = lifetime

    async def wait(self, request: Request, record: Record) -> Record:
        """The final record; raises as `wait_for_all` does."""
        (final,) = await self.wait_for_all(request, [record])
        return final

    async def wait_for_all(self, request: Request, records: Sequence[Record]) -> list[Record]:
        """The final records of evolutions that one call has started, in their order.

        Raises:
            Cancelled: the caller hung up.
            Unavailable: the process stops.
            DeadlineExceeded: the evolution takes longer than this deployment lets a call wait.
        """
        ended = asyncio.ensure_future(self._ended(records))
        disconnected = asyncio.ensure_future(wait_for_disconnect(request))
        expired = asyncio.ensure_future(self._lifetime.expired.wait())
        waiting = (ended, disconnected, expired)
        try:
            await asyncio.wait(waiting, timeout=self._settings.max_wait_s, return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                return ended.result()
            if disconnected.done():
                await self.cancel_abandoned(*records)
                raise Cancelled("the caller hung up")
            if expired.done():
                raise stopping_error(records[0])
            raise DeadlineExceeded(
                f"no answer within {self._settings.max_wait_s:g} s; the evolution goes on: read "
                f"GET /v1/evolutions/{records[0].id}, and send long searches to POST /v1/evolutions"
            )
        finally:
            for task in waiting:
                task.cancel()

    async def _ended(self, records: Sequence[Record]) -> list[Record]:
        return await asyncio.gather(*(self._evolutions.wait(record.id) for record in records))

    async def follow(self, record: Record) -> AsyncIterator[Event]:
        """The events of an evolution, from its first to its end.

        Raises:
            Unavailable: the process stops before the end.
        """
        ended = False
        async for stored in take_until(self._lifetime.expired, self._evolutions.follow(record.id)):
            ended = isinstance(stored.event, Ended)
            yield outside.event_of(stored.event, record.id)
        if not ended:
            raise stopping_error(record)

    async def cancel_abandoned(self, *records: Record) -> None:
        """Cancels evolutions that nobody waits for; a caller with an idempotency key can come back to them."""
        for record in records:
            if record.idempotency is not None:
                continue
            log.info("nobody waits for %s any more", record.id)
            try:
                await self._evolutions.cancel(record.id, record.request.tenant, record.request.tenant)
            except DarwinError as error:
                log.warning("%s could not be cancelled: %s", record.id, error)


async def wait_for_disconnect(request: Request) -> None:
    """Returns once the caller has hung up; to be called when the body was read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def stopping_error(record: Record) -> Unavailable:
    """What a caller is told whose call the end of this process cuts short."""
    return Unavailable(f"this gateway is stopping; the evolution goes on: read GET /v1/evolutions/{record.id}")
