"""The leases of a worker's rounds: renewed together, by one timer and one script, however many there are."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from shared.errors import Unavailable
from shared.store import Lease, Store

Ending = Literal["lost", "cancelled", "interrupted"]
"""Why a round must not go on: its lease was lost, a cancel was asked for, or this worker is stopping."""

log = logging.getLogger(__name__)


class Leases:
    """Renews what is held each `heartbeat_s`, for `lease_s`. Use it on one loop."""

    def __init__(self, store: Store, lease_s: float, heartbeat_s: float) -> None:
        self._store = store
        self._lease_s = lease_s
        self._heartbeat_s = heartbeat_s
        self._held: dict[Lease, asyncio.Future[Ending]] = {}
        self._interrupted = False
        self._beating: asyncio.Task[None] | None = None

    @contextmanager
    def held(self, lease: Lease) -> Iterator["asyncio.Future[Ending]"]:
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
        while self._held:
            await asyncio.sleep(self._heartbeat_s)
            leases = list(self._held)
            try:
                found = await self._store.renew(leases, self._lease_s)
            except Unavailable as error:
                log.debug("%d rounds go on without their leases: %s", len(leases), error.message)
                continue
            for lease, renewed in zip(leases, found, strict=True):
                if renewed != "held":
                    self._end(lease, renewed)

    def _end(self, lease: Lease, why: Ending) -> None:
        ending = self._held.get(lease)
        if ending is not None and not ending.done():
            ending.set_result(why)
