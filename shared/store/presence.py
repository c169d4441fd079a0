"""Which stages answer: workers report it to Redis, gateways read it. A report is `darwin:alive:{name}`, and expires."""

from collections.abc import Iterable

from shared.store.shards import RedisClient, Shards

ORCHESTRATOR = "orchestrator"
STAGES = ("mutation", "generation", "reward")


class Presence(RedisClient):
    """Reports that expire after `ttl_s` seconds. A stage is present where at least one worker has reported it."""

    def __init__(self, redis: str | Shards, ttl_s: float = 10.0) -> None:
        super().__init__(redis, max_connections=8)
        self._ttl_ms = int(ttl_s * 1000)

    async def report(self, names: Iterable[str]) -> None:
        """Records that these stages (or the orchestrator itself) answer now."""
        async with self._translated, self._redis.pipeline(transaction=False) as pipeline:
            for name in names:
                pipeline.set(self._key(f"alive:{name}"), "1", px=self._ttl_ms)
            await pipeline.execute()

    async def away(self) -> list[str]:
        """Names of stages that no worker has reported lately.

        Where no worker reports, nobody knows of the stages: then it is the orchestrator alone.
        """
        names = (ORCHESTRATOR, *STAGES)
        async with self._translated:
            reports = await self._redis.mget([self._key(f"alive:{name}") for name in names])
        if reports[0] is None:
            return [ORCHESTRATOR]
        return [name for name, report in zip(names, reports, strict=True) if report is None]
