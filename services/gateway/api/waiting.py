"""How a call waits for the answer of its evolution, and what becomes of the evolution when the caller hangs up."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from fastapi import Request

from services.gateway.api import outside
from services.gateway.config.settings import GatewaySettings
from services.gateway.edge.errors import StillRunning
from services.gateway.edge.lifetime import Lifetime, take_until
from services.gateway.evolutions.service import EvolutionService
from shared.errors import Cancelled, DarwinError, DeadlineExceeded, Unavailable
from shared.records.events import Ended, Event
from shared.records.evolution import Record

log = logging.getLogger(__name__)

_STOPPING = "this gateway is stopping"
# A process that stops waits hardly longer for its answers.
_CANCEL_S = 1.0


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

        No search is doubled by a client that sends the call again upon an error: before an answer says that it may,
        the evolutions are cancelled, unless their caller can come back to them by an idempotency key.

        Raises:
            Cancelled: the caller hung up.
            StillRunning: the process stops, or Redis is away, and the evolutions could not be cancelled.
            Unavailable: the same, where the call may be sent again.
            DeadlineExceeded: the evolution takes longer than this deployment lets a call wait.
        """
        ended = asyncio.ensure_future(self._ended(records))
        disconnected = asyncio.ensure_future(wait_for_disconnect(request))
        expired = asyncio.ensure_future(self._lifetime.expired.wait())
        waiting = (ended, disconnected, expired)
        try:
            await asyncio.wait(waiting, timeout=self._settings.max_wait_s, return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                return await self._results(ended, records)
            if disconnected.done():
                await self.cancel_abandoned(*records)
                raise Cancelled("the caller hung up")
            if expired.done():
                raise await self._given_up(_STOPPING, records)
            raise DeadlineExceeded(
                f"no answer within {self._settings.max_wait_s:g} s; the evolution goes on: read "
                f"GET /v1/evolutions/{records[0].id}, and send long searches to POST /v1/evolutions"
            )
        finally:
            for task in waiting:
                task.cancel()

    async def _results(self, ended: asyncio.Future[list[Record]], records: Sequence[Record]) -> list[Record]:
        try:
            return ended.result()
        except Unavailable as error:
            raise await self._given_up(error.message, records) from error

    async def _given_up(self, why: str, records: Sequence[Record]) -> Unavailable:
        """What a caller is told who gets no answer although the evolutions go on."""
        read = f"GET /v1/evolutions/{records[0].id}"
        if records[0].idempotency is not None:
            return Unavailable(f"{why}; the evolution goes on: send the call again with its key, or read {read}")
        if await self._cancelled(records):
            return Unavailable(f"{why}; the search {records[0].id} was cancelled: send the call again")
        return StillRunning(f"{why}; the evolution may go on: read {read} before you send the call again")

    async def refused(self, error: DarwinError, records: Sequence[Record]) -> DarwinError:
        """What a caller is told who is refused after these evolutions of the same call were accepted; they are
        cancelled, unless their caller can come back to them by an idempotency key.
        """
        if not records or records[0].idempotency is not None or await self._cancelled(records) or not error.retryable:
            return error
        return StillRunning(
            f"{error.message}; {records[0].id} may go on: read GET /v1/evolutions/{records[0].id} before you send the "
            "call again"
        )

    async def _cancelled(self, records: Sequence[Record]) -> bool:
        """Whether a cancel of all of them could be asked for in time."""
        try:
            async with asyncio.timeout(_CANCEL_S):
                await asyncio.gather(*(self._evolutions.stop(record) for record in records))
        except (DarwinError, TimeoutError) as error:
            log.warning("%s could not be cancelled: %r", records[0].id, error)
            return False
        return True

    async def _ended(self, records: Sequence[Record]) -> list[Record]:
        return await asyncio.gather(*(self._evolutions.wait(record.id) for record in records))

    async def follow(self, record: Record) -> AsyncGenerator[Event]:
        """The events of an evolution, from its first to its end.

        Raises:
            Unavailable: the process stops before the end.
        """
        ended = False
        async with aclosing(take_until(self._lifetime.expired, self._evolutions.follow(record.id))) as stored:
            async for each in stored:
                ended = isinstance(each.event, Ended)
                yield outside.event_of(each.event, record.id)
        if not ended:
            raise Unavailable(f"{_STOPPING}; the evolution goes on: read GET /v1/evolutions/{record.id}")

    async def cancel_abandoned(self, *records: Record) -> None:
        """Cancels evolutions that nobody waits for; a caller with an idempotency key can come back to them."""
        for record in records:
            if record.idempotency is not None:
                continue
            log.info("nobody waits for %s any more", record.id)
            try:
                await self._evolutions.stop(record)
            except DarwinError as error:
                log.warning("%s could not be cancelled: %s", record.id, error)


async def wait_for_disconnect(request: Request) -> None:
    """Returns once the caller has hung up; to be called when the body was read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
