"""Which stages answer, and what generation cannot do: workers report it to Redis, gateways read it.

A report is `darwin:alive:{name}`, and expires. Its value is what the stage lacks, by commas, or 1.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from shared.methods import ABILITIES, Ability
from shared.store.shards import RedisClient, Shards

ORCHESTRATOR = "orchestrator"
GENERATION = "generation"
STAGES = ("mutation", GENERATION, "reward")


@dataclass(frozen=True)
class Stages:
    """The names of those that no worker has reported lately, and what generation lacks, as far as it was reported.

    Where no worker reports, nobody knows of the stages: then it is the orchestrator alone that is `away`.
    """

    away: tuple[str, ...] = ()
    lacks: frozenset[Ability] = frozenset()


class Presence(RedisClient):
    """Reports that expire after `ttl_s` seconds. A stage is present where at least one worker has reported it."""

    def __init__(self, redis: str | Shards, ttl_s: float = 10.0) -> None:
        super().__init__(redis, max_connections=8)
        self._ttl_ms = int(ttl_s * 1000)

    async def report(self, names: Iterable[str], lacks: Collection[Ability] = ()) -> None:
        """Records that these stages (or the orchestrator itself) answer now, and what generation lacks."""
        async with self._translated, self._redis.pipeline(transaction=False) as pipeline:
            for name in names:
                value = ",".join(lacks) if name == GENERATION else ""
                pipeline.set(self._key(f"alive:{name}"), value or "1", px=self._ttl_ms)
            await pipeline.execute()

    async def stages(self) -> Stages:
        """What workers have reported lately."""
        names = (ORCHESTRATOR, *STAGES)
        async with self._translated:
            reports = await self._redis.mget([self._key(f"alive:{name}") for name in names])
        if reports[0] is None:
            return Stages((ORCHESTRATOR,))
        found = dict(zip(names, reports, strict=True))
        lacks = str(found[GENERATION] or "").split(",")
        return Stages(
            tuple(name for name, report in found.items() if report is None),
            frozenset(ability for ability in ABILITIES if ability in lacks),
        )
