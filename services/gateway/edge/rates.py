"""The limits of an API key over time: calls per minute, counted in Redis (`darwin:rate:…`), and budgets."""

import math
import time
from dataclasses import dataclass

from limits import RateLimitItemPerMinute
from limits.aio.storage import RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter

from services.gateway.edge.errors import InsufficientQuota, KeyLimit, RateLimitExceeded
from shared.records.periods import period_end, period_start
from shared.records.spending import NANOS, Budget, Standing
from shared.store.api_keys import ApiKey
from shared.store.shards import RedisClient, Shards


@dataclass(frozen=True)
class Rate:
    """Where a key stands: its calls per minute, how many of them remain, and the seconds until one more is free."""

    limit: int
    remaining: int
    reset_s: float
    exceeded: bool

    @property
    def headers(self) -> dict[str, str]:
        """The headers in which OpenAI reports the same."""
        return {
            "x-ratelimit-limit-requests": str(self.limit),
            "x-ratelimit-remaining-requests": str(self.remaining),
            "x-ratelimit-reset-requests": _duration(self.reset_s),
        }

    def check(self) -> None:
        """Raises `RateLimitExceeded` where the call exceeds the rate."""
        if self.exceeded:
            raise RateLimitExceeded(
                f"this key may make {self.limit} calls a minute: come back in {math.ceil(self.reset_s)} s",
                self.reset_s,
            )


@dataclass(frozen=True)
class Quota:
    """Where a key stands with a budget of tokens or money, `at` a time in Unix seconds."""

    budget: Budget
    standing: Standing
    at: float

    @property
    def remaining(self) -> int:
        """What is neither spent nor reserved."""
        return max(0, self.budget.limit - self.standing.used - self.standing.reserved)

    @property
    def reset_s(self) -> float:
        """Seconds until the budget's period ends."""
        return period_end(self.budget.period, self.at).timestamp() - self.at

    @property
    def headers(self) -> dict[str, str]:
        """The headers in which OpenAI reports a limit of tokens."""
        return {
            "x-ratelimit-limit-tokens": str(self.budget.limit),
            "x-ratelimit-remaining-tokens": str(self.remaining),
            "x-ratelimit-reset-tokens": _duration(self.reset_s),
        }

    def refusal(self, search_s: float) -> KeyLimit:
        """Why nothing can be spent: the budget is spent until its period ends, or searches under way, which take
        `search_s` seconds, may spend what is left of it.
        """
        period, ends = self.budget.period, period_end(self.budget.period, self.at).strftime("%Y-%m-%dT%H:%M:%SZ")
        shown = f"{self._amount(self.standing.used)} of {self._amount(self.budget.limit)} {self.budget.unit}"
        begins = period_start(period, self.at).strftime("%Y-%m-%dT%H:%M:%SZ")
        if self.standing.used >= self.budget.limit:
            return InsufficientQuota(
                f"this key has spent {shown} in the {period} since {begins}: come back after {ends}",
                self.reset_s,
            )
        return RateLimitExceeded(
            f"this key has spent {shown} in the {period} since {begins}, and what is under way may spend "
            f"{self._amount(self.standing.reserved)} more: come back when it has ended",
            search_s,
        )

    def _amount(self, number: int) -> str:
        return str(number) if self.budget.unit == "tokens" else f"{number / NANOS:.10g}"


class Rates(RedisClient):
    """Counts calls; raises `Unavailable` where Redis is away."""

    def __init__(self, redis: str | Shards, max_connections: int = 100) -> None:
        super().__init__(redis, max_connections)
        pool = self._redis.connection_pool
        self._window = MovingWindowRateLimiter(
            RedisStorage("async+redis://", implementation="redispy", key_prefix=self._key("rate"), connection_pool=pool)
        )

    async def take(self, key: ApiKey) -> Rate | None:
        """Counts a call unless it exceeds the key's rate; None where the key has no rate."""
        if key.requests_per_minute is None:
            return None
        limit = RateLimitItemPerMinute(key.requests_per_minute)
        async with self._translated:
            taken = await self._window.hit(limit, key.id)
            window = await self._window.get_window_stats(limit, key.id)
        reset_s = max(0.0, window.reset_time - time.time())
        return Rate(key.requests_per_minute, window.remaining if taken else 0, reset_s, exceeded=not taken)


def _duration(seconds: float) -> str:
    """Such as 120ms, 59s, 1m0s or 23h0m5s."""
    if seconds < 1:
        return f"{math.ceil(seconds * 1000)}ms"
    minutes, rest = divmod(math.ceil(seconds), 60)
    hours, minutes_left = divmod(minutes, 60)
    return (f"{hours}h" if hours else "") + (f"{minutes_left}m" if minutes else "") + f"{rest}s"
