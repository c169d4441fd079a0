"""A steady number of evolutions: as one ends, the next is accepted, as the gateway accepts it."""

import asyncio
import time
import uuid

from shared.records import EvolutionRequest, Message, Record, Sampling, Search
from shared.store import Limits, Store

_TICK_S = 0.05
_NO_LIMIT = Limits(active=1_000_000, active_per_key=1_000_000)


class Load:
    """Keeps `concurrent` evolutions under way; a context manager, within which `running` says how many there are.

    They go straight into the store and the queue, so that what is measured is not the gateway.
    """

    def __init__(self, redis_url: str, concurrent: int, max_tokens: int, period: int) -> None:
        self._redis_url = redis_url
        self._concurrent = concurrent
        self._sampling = Sampling(max_tokens)
        self._search = Search(period=period, mutation="templates")
        self._number = 0
        self._ending = asyncio.Event()
        self.running = 0

    async def __aenter__(self) -> "Load":
        self._store = Store(self._redis_url, ttl_s=60)
        self._task = asyncio.ensure_future(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ending.set()
        await self._task
        await self._store.close()

    async def _run(self) -> None:
        while not self._ending.is_set():
            self.running = await self._store.active()
            for _ in range(self._concurrent - self.running):
                await self._accept()
            await asyncio.sleep(_TICK_S)

    async def _accept(self) -> None:
        self._number += 1
        messages = (Message("user", f"Explain the tides of the sea to class number {self._number} of our school."),)
        request = EvolutionRequest("darwin", messages, self._sampling, self._search, seed=self._number)
        record = Record(f"evo_{uuid.uuid4().hex}", 0, "queued", time.time(), request)
        await self._store.create(record, _NO_LIMIT)
