"""A flood of one tenant's beside the steady load: what it leaves in the fair queue, and whether any of it is lost."""

import asyncio
import json
import uuid
from dataclasses import replace

from shared.records.evolution import EvolutionRequest, Message, Sampling
from shared.records.search import Search
from shared.records.spending import Spending
from shared.store.evolutions import ActiveLimits, Store
from shared.store.fair_queue import WINDOW, places_keys
from shared.store.redis_keys import RedisKeys
from tests.chaos import evidence
from tests.chaos.clients import KEY
from tests.chaos.scene import Scene
from tests.integration.stages import record_of

KEYS = RedisKeys()
TENANT = "flood"
_REQUEST = EvolutionRequest("sample", (Message("user", "Why?"),), Sampling(40), Search(cycles=0), seed=1, tenant=TENANT)
# What is known of tenants stays; all else belongs to evolutions under way.
_STAYS = {f"{KEYS.waiting}:{name}" for name in ("virtual", "usual", "last")}


def begin(scene: Scene, searches: int) -> None:
    """Has the tenant ask for so many short searches at once."""
    asyncio.run(_accept(scene.stack.redis_url, searches))


async def _accept(url: str, searches: int) -> None:
    store, limits = Store(url, ttl_s=3600), ActiveLimits(estimate=Spending(generation=40))
    tag = f"flood-{uuid.uuid4().hex}"
    try:
        for _ in range(searches):
            await store.create(record_of(replace(_REQUEST, metadata={KEY: tag})), limits)
    finally:
        await store.close()


def waiting(scene: Scene) -> int:
    """How many of the tenant's evolutions wait for their turn at the queue."""
    return sum(scene.redis.zcard(key) for key in places_keys(KEYS, TENANT))


def misses(scene: Scene) -> list[str]:
    """What is wrong once all have ended: searches that were lost, failed, or were charged otherwise than they sampled,
    and counters of what is not there any more.
    """
    kept = evidence.kept(scene.shards, "flood-")
    left = set(scene.redis.scan_iter(f"{KEYS.waiting}*")) - _STAYS
    bars = {
        "flood: not all succeeded": {one.record["status"] for one in kept} != {"succeeded"},
        "flood: doubled": any(one.doubled for one in kept),
        "flood: charged wrongly": any(_charged(scene, one.id) != _sampled(one.record) for one in kept),
        f"the fair queue keeps {sorted(left)}": bool(left),
        "the queue is too long": scene.redis.llen(KEYS.queue) > WINDOW,
    }
    return [bar for bar, missed in bars.items() if missed]


def _charged(scene: Scene, evolution_id: str) -> int:
    used = scene.redis.hget(KEYS.record(evolution_id), "used")
    return round(float(json.loads(used or "0")))


def _sampled(record: dict[str, dict[str, dict[str, int]]]) -> int:
    tokens = record["result"]["tokens"]
    return sum(tokens.get(kind, 0) for kind in ("mutation", "kept", "discarded"))
