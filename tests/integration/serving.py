"""Evolutions that are accepted, taken and ended as gateways and workers do it, without either."""

import heapq
import itertools
import json
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from shared.records.evolution import Record, ServiceTier
from shared.records.search import Search
from shared.records.spending import Spending
from shared.store.evolutions import Store
from shared.store.fair_queue import EQUAL, Share
from shared.store.limits import ActiveLimits
from shared.store.shards import Shard
from tests.integration.stages import REQUEST, record_on

_PLACES = 8
_MOST = Spending(generation=4000)


def shard_of_most(store: Store) -> Shard:
    """Where those lie that are in one order, if there are several shards."""
    return store._shards[1 % len(store._shards)]


def waiting_key(store: Store, name: str) -> str:
    return f"{shard_of_most(store).keys.waiting}:{name}"


async def accept(
    store: Store,
    tenant: str = "",
    share: Share = EQUAL,
    tier: ServiceTier = "default",
    deadline_s: float = 0.0,
    max_tokens: int = 10,
    accepted_ago_s: float = 0.0,
    shard: int = 1,
) -> Record:
    search = Search(deadline_ms=int(deadline_s * 1000)) if deadline_s else REQUEST.search
    sampling = replace(REQUEST.sampling, max_tokens=max_tokens)
    request = replace(REQUEST, tenant=tenant, service_tier=tier, search=search, sampling=sampling)
    record = record_on(store, shard, request)
    record = replace(record, created_at=record.created_at - accepted_ago_s)
    return await store.create(record, ActiveLimits(estimate=_MOST, share=share))


async def messages(store: Store) -> list[str]:
    """Ids in the queue, the next one first."""
    shard = shard_of_most(store)
    raw = await shard.redis.lrange(shard.keys.queue, 0, -1)
    return [json.loads(json.loads(one)["body"])[0][0] for one in reversed(raw)]


async def take(store: Store, first: int = 1) -> Record | None:
    """What a worker does that has a free place, and looks at this shard first; None where nothing is in the queues."""
    for number in range(first, first + len(store._shards)):
        shard = store._shards[number % len(store._shards)]
        while raw := await shard.redis.rpop(shard.keys.queue):
            [evolution_id, version], _, _ = json.loads(json.loads(raw)["body"])
            if claim := await store.claim(evolution_id, version, "worker", 600):
                return claim.record
    return None


async def end(store: Store, record: Record, tokens: int) -> None:
    ended = replace(record, version=record.version + 1, status="succeeded", finished_at=time.time())
    await store.save(ended, (), spent=Spending(generation=tokens))


async def order_of_service(store: Store) -> list[str]:
    """Takes and ends all that waits, one after another."""
    found = []
    while record := await take(store):
        found.append(record.id)
        await end(store, record, 100)
    return found


@dataclass
class Fleet:
    """Workers with so many places, in simulated seconds: a search of so many tokens takes as many seconds."""

    store: Store
    places: int = _PLACES
    now: float = 0.0
    served: Counter[str] = field(default_factory=Counter)
    _running: list[tuple[float, str, Record, int]] = field(default_factory=list)
    _draws: random.Random = field(default_factory=lambda: random.Random(1))
    _turns: Iterator[int] = field(default_factory=itertools.count)

    async def until(self, tokens: int) -> None:
        """Serves until so many tokens are served in all, or nothing is left."""
        while sum(self.served.values()) < tokens:
            while len(self._running) < self.places and (record := await take(self.store, next(self._turns))):
                # Searches of one kind differ widely in what they take.
                cost = self._draws.randint(20, 180) * (4 if record.request.tenant == "long" else 1)
                heapq.heappush(self._running, (self.now + cost, record.id, record, cost))
            if not self._running:
                return
            self.now, _, record, cost = heapq.heappop(self._running)
            first = replace(record, version=1, status="running")
            await self.store.save(first, (), spent=Spending(generation=cost // 2), next_holder="worker", lease_s=600)
            await end(self.store, first, cost - cost // 2)
            self.served[record.request.tenant] += cost


def most_off(store: Store) -> int:
    """By how many tokens a tenant may miss its share: a search and a little for each shard, which are fair each by
    itself.
    """
    return 100 + 125 * len(store._shards)


def jain(shares: Sequence[float]) -> float:
    """Jain's index of fairness: 1 where all shares are equal, 1 / n where one has all."""
    return float(sum(shares) ** 2 / (len(shares) * sum(share**2 for share in shares)))
