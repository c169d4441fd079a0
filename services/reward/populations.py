"""The queue of a scorer that compares: each call is a batch of its own, whole and in its order."""

import asyncio
import math
from collections.abc import Sequence

from services.reward import metrics
from services.reward.scorer import Comparer, ComponentScore, ScoreItem
from shared.errors import Internal, Overloaded

_AT_ONCE = 64


class Populations:
    """As a `Batcher` for its callers, but that nothing is shared between calls, and nothing remembered.

    A number of calls go on at once; it refuses more than `max_queue` responses that wait behind them.
    """

    def __init__(self, scorer: Comparer, max_queue: int) -> None:
        self._scorer = scorer
        self._max_queue = max_queue
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0

    @property
    def waiting(self) -> int:
        """How many items wait."""
        return self._waiting

    async def score(self, items: Sequence[ScoreItem]) -> list[ComponentScore]:
        """Scores in the order of the items.

        Raises:
            Overloaded: too many wait.
            Internal: a score is missing or not finite.
        """
        if self._waiting and self._waiting + len(items) > self._max_queue:
            raise Overloaded(f"{self._waiting} responses wait to be compared already; come back later")
        self._waiting += len(items)
        try:
            await self._turns.acquire()
        finally:
            self._waiting -= len(items)
        try:
            metrics.batch(len(items))
            scores = await self._scorer.compare(items)
        finally:
            self._turns.release()
        if len(scores) != len(items):
            raise Internal(f"{len(items)} responses got {len(scores)} scores")
        if unusable := [score.value for score in scores if not math.isfinite(score.value)]:
            raise Internal(f"the comparison gave {unusable[0]} for a response")
        return scores

    async def close(self) -> None:
        """Calls under way end with the scorer."""
