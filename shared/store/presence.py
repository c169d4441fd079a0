"""Which stages answer: workers report it to Redis, gateways read it. A report is `darwin:alive:{name}`, and expires."""

from collections.abc import Iterable
from typing import Any

from shared.store.connection import RedisClient

ORCHESTRATOR = "orchestrator"
STAGES = ("mutation", "generation", "reward")


class Presence(RedisClient):
    """Reports that expire after `ttl_s` seconds. A stage is present where at least one worker has reported it."""

    def __init__(self, url: str | Any, ttl_s: float = 10.0) -> None:
        super().__init__(url, max_connections=8)
        self._ttl_ms = int(ttl_s * 1000)

    async def report(self, names: Iterable[str]) -> None:
        """Records that these stages (or the orchestrator itself) answer now."""
        async with self._translated, self._redis.pipeline(transaction=False) as pipeline:
            for name in names:
                pipeline.set(_redis_key(name), "1", px=self._ttl_ms)
            await pipeline.execute()

    async def away(self) -> list[str]:
        """Names of stages that no worker has reported lately.

        Where no worker reports, nobody knows of the stages: then it is the orchestrator alone.
        """
        names = (ORCHESTRATOR, *STAGES)
        async with self._translated:
            reports = await self._redis.mget([_redis_key(name) for name in names])
        if reports[0] is None:
            return [ORCHESTRATOR]
        return [name for name, report in zip(names, reports, strict=True) if report is None]


def _redis_key(name: str) -> str:
    return f"darwin:alive:{name}"
