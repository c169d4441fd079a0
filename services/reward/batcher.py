"""Joins concurrent calls into batches: while one batch computes, whatever arrives forms the next."""

import asyncio
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from cachetools import LRUCache

from services.reward import metrics
from services.reward.scorer import ComponentScore, ComponentScorer, ScoreItem
from shared.errors import DeadlineExceeded, Internal, Overloaded, Unavailable

_NOBODYS_FAULT = (Unavailable, Overloaded, DeadlineExceeded)
"""Errors of a scorer elsewhere that are no item's fault: scoring each item by itself would not help."""


@dataclass(frozen=True)
class _Waiting:
    item: ScoreItem
    future: asyncio.Future[ComponentScore]


class Batcher:
    """One scorer's queue, for use on one event loop.

    It holds at most `max_queue` items, and refuses more. It remembers the last `kept` results: an item that comes again
    costs nothing, nor does one that waits twice. Items of a cancelled call that no batch has taken are dropped.
    """

    def __init__(self, scorer: ComponentScorer, max_batch: int, max_queue: int, kept: int) -> None:
        self._scorer = scorer
        self._max_batch = min(max_batch, scorer.max_batch or max_batch)
        self._max_queue = max_queue
        self._results: LRUCache[bytes, ComponentScore] = LRUCache(kept)
        self._queue: deque[_Waiting] = deque()
        self._draining: set[asyncio.Task[None]] = set()

    @property
    def waiting(self) -> int:
        """How many items no batch has taken yet."""
        return len(self._queue)

    async def score(self, items: Sequence[ScoreItem]) -> list[ComponentScore]:
        """Scores in the order of the items.

        Raises:
            Overloaded: the queue is full.
            Internal: a score is missing or not finite.
            Unavailable: the process stops.
        """
        known = {item.digest: self._results.get(item.digest) for item in items}
        fresh = [item for item in items if known[item.digest] is None]
        # A call of more than the queue holds comes in where nobody waits: it could not at any other time.
        if self._queue and len(self._queue) + len(fresh) > self._max_queue:
            raise Overloaded(f"{len(self._queue)} responses wait to be scored already; come back later")
        futures = [self._enqueue(item) for item in fresh]
        try:
            computed = iter(await asyncio.gather(*futures))
        finally:
            for future in futures:
                future.cancel()
        return [_reused(score) if (score := known[item.digest]) else next(computed) for item in items]

    async def close(self) -> None:
        """Fails the items that wait and cancels the batches under way; returns once they have ended."""
        draining = tuple(self._draining)
        for task in draining:
            task.cancel()
        if draining:
            await asyncio.wait(draining)
        while self._queue:
            _fail(self._queue.popleft(), Unavailable("the reward service is stopping"))

    def _enqueue(self, item: ScoreItem) -> asyncio.Future[ComponentScore]:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._queue.append(_Waiting(item, future))
        # A batch is taken when its task first runs, so that the items of one call are in one batch.
        if sum(not task.done() for task in self._draining) < min(self._scorer.batches, len(self._queue)):
            task = loop.create_task(self._drain())
            self._draining.add(task)
            task.add_done_callback(self._draining.discard)
        return future

    async def _drain(self) -> None:
        while batch := self._next_batch():
            try:
                await self._run(batch)
            except asyncio.CancelledError:
                self._queue.extendleft(entry for group in batch.values() for entry in group)
                raise

    def _next_batch(self) -> dict[bytes, list[_Waiting]]:
        """Up to `max_batch` different items that somebody still waits for, with everyone who waits for each."""
        batch: dict[bytes, list[_Waiting]] = {}
        while self._queue and len(batch) < self._max_batch:
            entry = self._queue.popleft()
            if not entry.future.done():
                batch.setdefault(entry.item.digest, []).append(entry)
        return batch

    async def _run(self, batch: dict[bytes, list[_Waiting]]) -> None:
        items = [group[0].item for group in batch.values()]
        metrics.batch(len(items))
        try:
            scores = await self._scorer.score(items)
            if len(scores) != len(items):
                raise Internal(f"{len(items)} responses got {len(scores)} scores")
        except Exception as error:
            await self._run_apart(batch, error)
            return
        for (digest, group), score in zip(batch.items(), scores, strict=True):
            self._settle(digest, group, score)

    async def _run_apart(self, batch: dict[bytes, list[_Waiting]], error: Exception) -> None:
        """Finds whose fault a failed batch was, so that nobody else's call fails with it."""
        if len(batch) > 1 and not isinstance(error, _NOBODYS_FAULT):
            for digest, group in batch.items():
                await self._run({digest: group})
            return
        for entry in (entry for group in batch.values() for entry in group):
            _fail(entry, error)

    def _settle(self, digest: bytes, group: Sequence[_Waiting], score: ComponentScore) -> None:
        if not math.isfinite(score.value):
            for entry in group:
                _fail(entry, Internal(f"the model gave {score.value} for a response"))
            return
        self._results[digest] = score
        for entry in group:
            if not entry.future.done():
                entry.future.set_result(score)
                score = _reused(score)


def _reused(score: ComponentScore) -> ComponentScore:
    return replace(score, computed_tokens=0, cached_tokens=score.computed_tokens + score.cached_tokens)


def _fail(entry: _Waiting, error: Exception) -> None:
    if not entry.future.done():
        entry.future.set_exception(error)
