"""The calls per minute of each API key, counted in Redis (`darwin:rate:…`) over a moving window."""

import math
import time
from dataclasses import dataclass

from limits import RateLimitItemPerMinute
from limits.aio.storage import RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter

from services.gateway.edge.errors import RateLimitExceeded
from shared.store.api_keys import ApiKey
from shared.store.connection import Translated, connect_redis


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
    if seconds < 1:
        return f"{math.ceil(seconds * 1000)}ms"
    minutes, rest = divmod(math.ceil(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
