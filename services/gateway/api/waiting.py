"""How a call waits for the answer of its evolution, and what becomes of the evolution when the caller hangs up."""

import asyncio
import logging

from fastapi import Request

from services.gateway.config.settings import GatewaySettings
from services.gateway.edge.lifetime import Lifetime
from services.gateway.evolutions.service import EvolutionService
from shared.errors import Cancelled, DarwinError, DeadlineExceeded, Unavailable
from shared.records.evolution import Record

log = logging.getLogger(__name__)


class Waiting:
    """Waits for evolutions on behalf of callers."""

    def __init__(self, evolutions: EvolutionService, settings: GatewaySettings, lifetime: Lifetime) -> None:
        self._evolutions = evolutions
        self._settings = settings
        self._lifetime = lifetime

    async def wait(self, request: Request, record: Record) -> Record:
        """The final record.

        Raises:
            Cancelled: the caller hung up.
            Unavailable: the process stops.
            DeadlineExceeded: the evolution takes longer than this deployment lets a call wait.
        """
        ended = asyncio.ensure_future(self._evolutions.wait(record.id))
        disconnected = asyncio.ensure_future(_wait_for_disconnect(request))
        expired = asyncio.ensure_future(self._lifetime.expired.wait())
        waiting = (ended, disconnected, expired)
        try:
            await asyncio.wait(waiting, timeout=self._settings.max_wait_s, return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                return ended.result()
            if disconnected.done():
                await self.cancel_abandoned(record)
                raise Cancelled("the caller hung up")
            if expired.done():
                raise stopping_error(record)
            raise DeadlineExceeded(
                f"no answer within {self._settings.max_wait_s:g} s; the evolution goes on: read "
                f"GET /v1/evolutions/{record.id}, and send long searches to POST /v1/evolutions"
            )
        finally:
            for task in waiting:
                task.cancel()

    async def cancel_abandoned(self, record: Record) -> None:
        """Cancels an evolution that nobody waits for; a caller with an idempotency key can come back to it."""
        if record.idempotency is not None:
            return
        log.info("the caller of %s hung up", record.id)
        try:
            await self._evolutions.cancel(record.id, record.request.tenant, record.request.tenant)
        except DarwinError as error:
            log.warning("%s could not be cancelled: %s", record.id, error)


async def _wait_for_disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def stopping_error(record: Record) -> Unavailable:
    """What a caller is told whose call the end of this process cuts short."""
    return Unavailable(f"this gateway is stopping; the evolution goes on: read GET /v1/evolutions/{record.id}")
