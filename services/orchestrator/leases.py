"""The leases of a worker's rounds: renewed together, by one timer and one script, however many there are."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from shared.errors import Unavailable
from shared.store.evolutions import Store
from shared.store.leases import Lease

StopSignal = Literal["lost", "cancelled", "interrupted"]
"""Why a round must not go on: its lease was lost, a cancel was asked for, or this worker is stopping."""

log = logging.getLogger(__name__)

_LOOK_S = 0.5


class Leases:
    """Renews what is held each `heartbeat_s`, for `lease_s`. Use it on one loop.

    It looks more often for cancels, which takes one command, however much is held.
    """

    def __init__(self, store: Store, lease_s: float, heartbeat_s: float) -> None:
        self._store = store
        self._lease_s = lease_s
        self._heartbeat_s = heartbeat_s
        self._held: dict[Lease, asyncio.Future[StopSignal]] = {}
        self._interrupted = False
        self._beating: asyncio.Task[None] | None = None

    @contextmanager
    def held(self, lease: Lease) -> Iterator["asyncio.Future[StopSignal]"]:
        """Renews the lease inside; what is given resolves once the round must not go on.

        While Redis is away it counts as held: what is found meanwhile is saved later, unless somebody else has.
        """
        ending = self._held[lease] = asyncio.get_running_loop().create_future()
        if self._interrupted:
            ending.set_result("interrupted")
        if self._beating is None or self._beating.done():
            self._beating = asyncio.ensure_future(self._beat())
        try:
            yield ending
        finally:
            del self._held[lease]

    def interrupt(self) -> None:
        """Every round that is held, and each that comes, must not go on."""
        self._interrupted = True
        for lease in self._held:
            self._end(lease, "interrupted")

    async def _beat(self) -> None:
        loop = asyncio.get_running_loop()
        renewed_at = loop.time()
        while self._held:
            await asyncio.sleep(min(_LOOK_S, self._heartbeat_s))
            try:
                await self._look()
                if loop.time() - renewed_at >= self._heartbeat_s:
                    renewed_at = loop.time()
                    await self._renew()
            except Unavailable as error:
                log.debug("%d rounds go on without their leases: %s", len(self._held), error.message)

    async def _look(self) -> None:
        if cancelled := await self._store.cancelled():
            for lease in self._held:
                if lease.evolution_id in cancelled:
                    self._end(lease, "cancelled")

    async def _renew(self) -> None:
        leases = list(self._held)
        for lease, held in zip(leases, await self._store.renew(leases, self._lease_s), strict=True):
            if not held:
                self._end(lease, "lost")

    def _end(self, lease: Lease, why: StopSignal) -> None:
        ending = self._held.get(lease)
        if ending is not None and not ending.done():
            ending.set_result(why)
