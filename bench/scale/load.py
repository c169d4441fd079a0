"""A steady number of evolutions: as one ends, the next is accepted."""

import asyncio
import time
import uuid

from bench.scale.shape import EvolutionShape
from shared.records.evolution import Record
from shared.store.evolutions import Store
from shared.store.limits import ActiveLimits

_TICK_S = 0.05
_NO_LIMIT = ActiveLimits(active=1_000_000, active_per_key=1_000_000)


class Load:
    """Keeps `concurrent` evolutions under way, from `ramp_s` seconds after its beginning; a context manager.

    They begin one after another, so that their rounds do not end all at once. They are accepted in the store as the
    gateway does it, without the gateway, so that what is measured is not that.
    """

    def __init__(self, redis_url: str, concurrent: int, shape: EvolutionShape, ramp_s: float) -> None:
        self._redis_url = redis_url
        self._concurrent = concurrent
        self._shape = shape
        self._ramp_s = ramp_s
        self._number = 0
        self._ending = asyncio.Event()

    async def __aenter__(self) -> "Load":
        self._store = Store(self._redis_url, ttl_s=60)
        self._task = asyncio.ensure_future(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ending.set()
        await self._task
        await self._store.close()

    async def _run(self) -> None:
        began = time.monotonic()
        while not self._ending.is_set():
            share = min(1.0, (time.monotonic() - began) / self._ramp_s) if self._ramp_s else 1.0
            wanted = max(1, round(share * self._concurrent)) - await self._store.active()
            await asyncio.gather(*(self._accept() for _ in range(wanted)))
            await asyncio.sleep(_TICK_S)

    async def _accept(self) -> None:
        self._number += 1
        request = self._shape.request(self._number)
        await self._store.create(Record(f"evo_{uuid.uuid4().hex}", 0, "queued", time.time(), request), _NO_LIMIT)
