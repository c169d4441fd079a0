"""The scorers that are loaded: each once, however many profiles need it, and for as long as memory allows."""

import asyncio
import gc
import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from services.reward import memory
from services.reward.batcher import Batcher
from services.reward.populations import Populations
from services.reward.scorer import Comparer, ComponentScorer
from shared.errors import Overloaded, Unavailable
from shared.process.tasks import end

log = logging.getLogger(__name__)

_MAX_QUEUE = 8192
_RESULTS_KEPT = 4096
IN_USE_S = 60.0
"""A scorer that was asked for within so many seconds is in use, and is not unloaded for another."""

AnyScorer = ComponentScorer | Comparer
Queue = Batcher | Populations
Create = Callable[[], AnyScorer]
"""Makes a scorer that is not loaded yet."""


@dataclass
class _Held:
    scorer: AnyScorer
    batcher: Queue
    bytes: int
    lasting: bool
    calls: int = 0
    used_at: float = field(default_factory=time.monotonic)
    watching: asyncio.Task[None] | None = None

    @property
    def in_use(self) -> bool:
        return self.lasting or self.calls > 0 or time.monotonic() - self.used_at < IN_USE_S


@contextmanager
def _uncollected() -> Iterator[None]:
    """No garbage is collected meanwhile: what loading imports and makes sets off full collections, and each holds up
    every scorer, and the event loop, until it has looked at all objects of the process."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class ScorerPool:
    """Scorers by key, each behind a batcher, for use on one event loop.

    They load one after another, on threads of theirs, while those that are loaded go on. `most_bytes` bounds what they
    take together, as the process's memory grows while each loads: those in use longest ago go first, those in use and
    lasting ones never.
    """

    def __init__(self, max_batch: int, most_bytes: int, taken: Callable[[], int] = memory.taken) -> None:
        self._max_batch, self._most_bytes, self._taken = max_batch, most_bytes, taken
        self._held: dict[str, _Held] = {}
        self._turn = asyncio.Lock()

    @property
    def waiting(self) -> int:
        """How many items of all scorers no batch has taken yet."""
        return sum(held.batcher.waiting for held in self._held.values())

    @property
    def bytes(self) -> int:
        """What the scorers take together, as it was measured."""
        return sum(held.bytes for held in self._held.values())

    def holds(self, keys: Collection[str]) -> bool:
        """Whether all of these scorers are loaded."""
        return all(key in self._held for key in keys)

    async def load(self, scorers: Mapping[str, Create], *, lasting: bool = False) -> None:
        """Loads those that are not; all of them are in use from now on.

        Raises:
            Overloaded: there is no memory for one beside those in use.
            NotFound, Unsupported, InvalidRequest: one cannot be served.
        """
        for key, create in scorers.items():
            async with self._turn:
                if key not in self._held:
                    await self._load(key, create, lasting)
                self._held[key].used_at = time.monotonic()

    @contextmanager
    def using(self, keys: Collection[str]) -> Iterator[Mapping[str, Queue]]:
        """The batchers of loaded scorers, which stay loaded within.

        Raises:
            Unavailable: one of them is loaded no longer.
        """
        if not self.holds(keys):
            raise Unavailable("a reward model was unloaded meanwhile: come back later")
        used = {key: self._held[key] for key in keys}
        for held in used.values():
            held.calls += 1
        try:
            yield {key: held.batcher for key, held in used.items()}
        finally:
            for held in used.values():
                held.calls -= 1
                held.used_at = time.monotonic()

    async def close(self) -> None:
        """Fails what waits and frees the models."""
        while self._held:
            await self._unload(next(iter(self._held)))

    async def _load(self, key: str, create: Create, lasting: bool) -> None:
        while not lasting and self.bytes >= self._most_bytes:
            await self._make_room(key)
        began, before, scorer = time.monotonic(), self._taken(), create()
        try:
            with _uncollected():
                await scorer.load()
        except BaseException:
            with suppress(Exception):
                await scorer.close()
            raise
        size = max(0, self._taken() - before)
        held = _Held(scorer, self._queue(scorer), size, lasting)
        self._held[key] = held
        log.info("loaded %s in %.1f s, %d MiB", key, time.monotonic() - began, size // 1024**2)
        if lasting:
            return
        held.watching = asyncio.create_task(self._watch(key, held))
        try:
            while self.bytes > self._most_bytes:
                await self._make_room(key)
        except Overloaded:
            await self._unload(key)
            raise

    def _queue(self, scorer: AnyScorer) -> Queue:
        if isinstance(scorer, Comparer):
            return Populations(scorer, _MAX_QUEUE)
        return Batcher(scorer, self._max_batch, _MAX_QUEUE, _RESULTS_KEPT)

    async def _make_room(self, wanted: str) -> None:
        idle = [key for key, held in self._held.items() if key != wanted and not held.in_use]
        if not idle:
            raise Overloaded(
                f"reward models take {self.bytes // 1024**2} MiB of {self._most_bytes // 1024**2} MiB "
                "(DARWIN_REWARD_MODEL_BYTES), and all of them are in use"
            )
        await self._unload(min(idle, key=lambda key: self._held[key].used_at))

    async def _unload(self, key: str) -> None:
        held = self._held.pop(key)
        log.info("unloading %s, %d MiB", key, held.bytes // 1024**2)
        if held.watching is not None and held.watching is not asyncio.current_task():
            await end(held.watching)
        await held.batcher.close()
        await held.scorer.close()

    async def _watch(self, key: str, held: _Held) -> None:
        """Drops a scorer that can serve no longer, so that it is loaded anew when it is asked for."""
        why = await held.scorer.failed()
        log.error("%s: %s", key, why)
        if self._held.get(key) is held:
            await self._unload(key)
