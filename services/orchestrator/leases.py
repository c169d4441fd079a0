"""The leases of a worker's rounds, all of which one timer renews together."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from shared.errors import Unavailable
from shared.store.evolutions import Store
from shared.store.leases import Lease

StopSignal = Literal["lost", "cancelled", "interrupted"]
"""Why a round must stop: its lease was lost, a cancel was asked for, or this worker is stopping."""

log = logging.getLogger(__name__)

# Seconds between two looks for cancels, at most.
_LOOK_S = 0.5


class Leases:
    """Renews every lease that is held, each `heartbeat_s` seconds for `lease_s` seconds. Use it on one event loop.

    Between renewals it looks for cancels: that takes one command, however many leases are held.
    """

    def __init__(self, store: Store, lease_s: float, heartbeat_s: float) -> None:
        self._store = store
        self._lease_s = lease_s
        self._heartbeat_s = heartbeat_s
        self._held: dict[Lease, asyncio.Future[StopSignal]] = {}
        self._interrupted = False
        self._failing: set[str] = set()
        self._heartbeat: asyncio.Task[None] | None = None

    @contextmanager
    def held(self, lease: Lease) -> Iterator["asyncio.Future[StopSignal]"]:
        """Renews the lease while the context lasts; the future that it gives resolves once the round must stop.

        While Redis is away a lease counts as held: the round goes on, and is saved once Redis is back, unless another
        worker has saved it first.
        """
        signal = self._held[lease] = asyncio.get_running_loop().create_future()
        if self._interrupted:
            signal.set_result("interrupted")
        if self._heartbeat is None or self._heartbeat.done():
            self._heartbeat = asyncio.ensure_future(self._keep_renewing())
        try:
            yield signal
        finally:
            del self._held[lease]

    def interrupt(self) -> None:
        """Signals every round that is under way, and each that begins from now on, to stop."""
        self._interrupted = True
        for lease in self._held:
            self._signal(lease, "interrupted")

    async def _keep_renewing(self) -> None:
        loop = asyncio.get_running_loop()
        renewed_at = loop.time()
        while self._held:
            await asyncio.sleep(min(_LOOK_S, self._heartbeat_s))
            await self._attempt("cancels of %d rounds cannot be looked for", self._look_for_cancels)
            if loop.time() - renewed_at >= self._heartbeat_s:
                renewed_at = loop.time()
                await self._attempt("leases of %d rounds cannot be renewed", self._renew)

    async def _attempt(self, failure: str, step: Callable[[], Awaitable[None]]) -> None:
        """Takes a step that is taken again and again. Whatever it fails of, the rounds are held on, and the other step
        is taken nevertheless; the log has it once, until it succeeds.
        """
        try:
            await step()
        except Unavailable as error:
            log.debug("%d rounds go on without their leases: %s", len(self._held), error.message)
        except Exception:
            if failure not in self._failing:
                log.exception(f"{failure}; it is tried again", len(self._held))
            self._failing.add(failure)
        else:
            self._failing.discard(failure)

    async def _look_for_cancels(self) -> None:
        leases = list(self._held)
        cancelled = await self._store.cancelled([lease.evolution_id for lease in leases])
        for lease in leases:
            if lease.evolution_id in cancelled:
                self._signal(lease, "cancelled")

    async def _renew(self) -> None:
        leases = list(self._held)
        for lease, held in zip(leases, await self._store.renew(leases, self._lease_s), strict=True):
            if not held:
                self._signal(lease, "lost")

    def _signal(self, lease: Lease, reason: StopSignal) -> None:
        signal = self._held.get(lease)
        if signal is not None and not signal.done():
            signal.set_result(reason)
