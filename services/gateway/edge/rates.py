"""The limits of an API key over time: calls per minute, counted in Redis (`darwin:rate:…`), and tokens per day."""

import math
import time
from dataclasses import dataclass

from limits import RateLimitItemPerMinute
from limits.aio.storage import RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter

from services.gateway.edge.errors import InsufficientQuota, RateLimitExceeded
from shared.store.api_keys import ApiKey
from shared.store.connection import Translated, connect_redis

_DAY_S = 86_400


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
                f"this key may start {self.limit} searches a minute: come back in {math.ceil(self.reset_s)} s",
                self.reset_s,
            )


@dataclass(frozen=True)
class Quota:
    """The tokens that a key's searches may sample per UTC day, and those that they have sampled today."""

    limit: int
    used: int

    @property
    def reset_s(self) -> float:
        """Seconds until midnight UTC."""
        return _DAY_S - time.time() % _DAY_S

    @property
    def headers(self) -> dict[str, str]:
        """The headers in which OpenAI reports a limit of tokens."""
        return {
            "x-ratelimit-limit-tokens": str(self.limit),
            "x-ratelimit-remaining-tokens": str(max(0, self.limit - self.used)),
            "x-ratelimit-reset-tokens": _duration(self.reset_s),
        }

    def check(self) -> None:
        """Raises `InsufficientQuota` where the tokens are used up."""
        if self.used >= self.limit:
            raise InsufficientQuota(
                f"this key's searches have sampled {self.used} tokens since midnight UTC, its quota is {self.limit}",
                self.reset_s,
            )


class Rates:
    """Counts calls; raises `Unavailable` where Redis is away."""

    def __init__(self, url: str, max_connections: int = 100) -> None:
        self._redis = connect_redis(url, max_connections)
        pool = self._redis.connection_pool
        self._window = MovingWindowRateLimiter(
            RedisStorage("async+redis://", implementation="redispy", key_prefix="darwin:rate", connection_pool=pool)
        )
        self._translated = Translated()

    async def close(self) -> None:
        await self._redis.aclose()

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
