"""Which stages answer: workers report it to Redis, gateways read it. Keys: `darwin:alive:{name}`, which expire."""

from collections.abc import Iterable

from shared.store.connection import Translated, connect_redis

ORCHESTRATOR = "orchestrator"
STAGES = ("mutation", "generation", "reward")


class Presence:
    """Reports live for `ttl_s` seconds; the one report of several workers that sees a stage is enough."""

    def __init__(self, url: str, ttl_s: float = 10.0) -> None:
        self._redis = connect_redis(url, 8)
        self._ttl_ms = int(ttl_s * 1000)
        self._translated = Translated()

    async def close(self) -> None:
        await self._redis.aclose()

    async def report(self, names: Iterable[str]) -> None:
        """Says that these processes answer now."""
        async with self._translated, self._redis.pipeline(transaction=False) as pipeline:
            for name in names:
                pipeline.set(_key(name), "1", px=self._ttl_ms)
            await pipeline.execute()

    async def away(self) -> list[str]:
        """Stages that no worker has seen lately; empty where no worker reports at all, because nobody can know then."""
        names = (ORCHESTRATOR, *STAGES)
        async with self._translated:
            seen = await self._redis.mget([_key(name) for name in names])
        if seen[0] is None:
            return []
        return [name for name, alive in zip(names, seen, strict=True) if alive is None]


def _key(name: str) -> str:
    return f"darwin:alive:{name}"
