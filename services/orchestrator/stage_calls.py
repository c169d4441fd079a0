"""When a call to a stage that failed is made again, and how many calls to a stage a worker has under way at once."""

import asyncio
import math
import random
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE

from shared.errors import Cancelled, DarwinError, DeadlineExceeded, Internal, Overloaded, Unavailable
from shared.records.attempts import Stage
from shared.telemetry.metrics import METER

# How often the same work is asked for again within a round. A server whose grace has passed cancels the calls that it
# still has, so Cancelled is a lost call too. A call that took all the time that it had, or met a defect, is not likely
# to fare better the third time.
_MOST_RETRIES: dict[type[DarwinError], int] = {Unavailable: 5, Cancelled: 5, DeadlineExceeded: 1, Internal: 1}
_FIRST_DELAY_S, _MAX_DELAY_S = 0.25, 4.0
# A stage that is full needs the time of a call, which may be minutes, to have room again.
_FIRST_OVERLOAD_DELAY_S, _MAX_OVERLOAD_DELAY_S, _MAX_HINT_S = 0.5, 10.0, 60.0
_DECREASE = 0.9

_RETRIES = METER.create_counter(
    "darwin.stage.retries", "{call}", "Calls to a stage that failed and were made again within their round."
)

Work = TypeVar("Work")


class Retries(Generic[Work]):
    """Decides for one round after how long work is asked for again whose call failed.

    A stage that is full is no failure: its work is asked for again without end. Other failures are counted for each
    work, from 0 again once a call of its brings something.
    """

    def __init__(self) -> None:
        self._failures: Counter[Work] = Counter()
        self._refusals: Counter[Work] = Counter()
        self._full_until = -math.inf

    @property
    def full_for_s(self) -> float | None:
        """Seconds after which a stage wants to be asked again that was full when it was last asked, and has said so."""
        left_s = self._full_until - time.monotonic()
        return left_s if left_s > 0 else None

    def delivered(self, works: Collection[Work]) -> None:
        """A call for these works has brought something."""
        self._full_until = -math.inf
        for counted in (self._failures, self._refusals):
            for work in works if counted else ():
                del counted[work]

    def delay_after(self, stage: Stage, error: DarwinError, missing: Collection[Work]) -> float | None:
        """Seconds after which the missing work of a call is asked for again; None where another try cannot help, or
        none is left.
        """
        if isinstance(error, Overloaded):
            self._refusals.update(missing)
            delay_s = _grown(_FIRST_OVERLOAD_DELAY_S, _most(self._refusals, missing), _MAX_OVERLOAD_DELAY_S)
            delay_s += min(error.retry_after_s or 0.0, _MAX_HINT_S)
            self._full_until = time.monotonic() + (error.retry_after_s or 0.0)
        else:
            self._failures.update(missing)
            if _most(self._failures, missing) > _MOST_RETRIES.get(type(error), 0):
                return None
            delay_s = _grown(_FIRST_DELAY_S, _most(self._failures, missing), _MAX_DELAY_S)
        _RETRIES.add(1, {"stage": stage, ERROR_TYPE: type(error).__name__})
        return delay_s


class StageLimit:
    """How many calls to a stage this worker has under way at once: as many as the stage bears.

    There is no limit until the stage refuses a call as Overloaded. Each refusal lowers the limit to nine tenths of the
    calls that the stage still has, each call that ends well while the limit is reached raises it by one part of itself:
    additive increase and multiplicative decrease (Chiu and Jain 1989), by which workers that share a stage come to
    share it evenly. Calls beyond the limit wait here in the order in which they came, so none is left behind by those
    that came later, and the stage is not asked only to refuse.
    """

    def __init__(self) -> None:
        self._limit = math.inf
        self._under_way = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def has_room(self) -> bool:
        """Whether no call waits for a place."""
        return not self._waiting

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Waits for a place for one call, and holds it while the context lasts. The call's error passes through."""
        await self._enter()
        try:
            yield
            if self._under_way + 1 > self._limit:
                self._limit += 1 / self._limit
        except Overloaded:
            self._limit = min(self._limit, max(1.0, _DECREASE * (self._under_way - 1)))
            raise
        finally:
            self._leave()

    async def _enter(self) -> None:
        if self._under_way + 1 <= self._limit and not self._waiting:
            self._under_way += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # the place was given, and is not taken
                self._leave()
            raise

    def _leave(self) -> None:
        self._under_way -= 1
        while self._waiting and self._under_way + 1 <= self._limit:
            turn = self._waiting.popleft()
            if not turn.done():  # nobody has left the queue from there
                self._under_way += 1
                turn.set_result(None)


StageLimits = dict[Stage, StageLimit]
"""The limit of each stage, which all rounds of a worker share."""


def stage_limits() -> StageLimits:
    """Limits of a worker that begins."""
    return {"mutation": StageLimit(), "generation": StageLimit(), "reward": StageLimit()}


def begin_metrics() -> None:
    """Reports 0 retries, so that the counter exists from the start."""
    _RETRIES.add(0)


def _grown(first_s: float, times: int, most_s: float) -> float:
    """A delay that doubles each time, up to a most, of which a random part is left out."""
    return min(first_s * 2.0 ** min(times - 1, 16), most_s) * random.uniform(0.5, 1.0)


def _most(counted: Counter[Work], works: Collection[Work]) -> int:
    return max((counted[work] for work in works), default=0)
