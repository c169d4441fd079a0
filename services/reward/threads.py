"""Scorers that compute in this process, each on a thread of its own."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from services.reward.scorer import BlockingScorer, ComponentScore, ScoreItem
from shared.process.lifecycle import never

Returned = TypeVar("Returned")


class ThreadScorer:
    """A `ComponentScorer` over a blocking one, which `create` makes on the thread that it computes on, libraries
    included."""

    batches = 1
    max_batch = None

    def __init__(self, create: Callable[[], BlockingScorer], name: str) -> None:
        self._create = create
        self._thread = ThreadPoolExecutor(1, f"score-{name}")
        self._scorer: BlockingScorer | None = None

    async def load(self) -> None:
        await self._on_thread(self._load)

    async def score(self, batch: Sequence[ScoreItem]) -> list[ComponentScore]:
        scorer = self._scorer
        assert scorer is not None
        return await self._on_thread(lambda: scorer.score(batch))

    async def close(self) -> None:
        await self._on_thread(self._close)
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def failed(self) -> str:
        return await never()

    async def _on_thread(self, function: Callable[[], Returned]) -> Returned:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function)

    def _load(self) -> None:
        scorer = self._create()
        scorer.load()
        self._scorer = scorer

    def _close(self) -> None:
        if self._scorer is not None:
            self._scorer.close()
