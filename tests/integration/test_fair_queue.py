"""Who is served where more is asked for than workers can do: each tenant its share, whatever the others send."""

import asyncio
import heapq
import json
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace

import pytest

from shared.records.evolution import Record, ServiceTier
from shared.records.search import Search
from shared.records.spending import Spending
from shared.store.evolutions import Store
from shared.store.fair_queue import EQUAL, WINDOW, Share
from shared.store.limits import ActiveLimits
from shared.store.queue import QUEUE
from shared.store.redis_keys import RedisKeys
from tests.integration.stages import REQUEST, record_of

PLACES = 8
MOST = Spending(generation=4000)


@pytest.fixture
async def store(redis_url: str) -> AsyncIterator[Store]:
    """A database of its own, which is empty."""
    store = Store(redis_url.removesuffix("/0") + "/11", ttl_s=60)
    await store._redis.flushdb()
    yield store
    await store._redis.flushdb()
    await store.close()


async def accept(
    store: Store,
    tenant: str = "",
    share: Share = EQUAL,
    tier: ServiceTier = "default",
    deadline_s: float = 0.0,
    max_tokens: int = 10,
    accepted_ago_s: float = 0.0,
) -> Record:
    search = Search(deadline_ms=int(deadline_s * 1000)) if deadline_s else REQUEST.search
    sampling = replace(REQUEST.sampling, max_tokens=max_tokens)
    record = record_of(replace(REQUEST, tenant=tenant, service_tier=tier, search=search, sampling=sampling))
    record = replace(record, created_at=record.created_at - accepted_ago_s)
    return await store.create(record, ActiveLimits(estimate=MOST, share=share))


async def messages(store: Store) -> list[str]:
    """Ids in the queue, the next one first."""
    raw = await store._redis.lrange(QUEUE, 0, -1)
    return [json.loads(json.loads(one)["body"])[0][0] for one in reversed(raw)]


async def take(store: Store) -> Record | None:
    """What a worker does that has a free place; None where nothing is in the queue."""
    while raw := await store._redis.rpop(QUEUE):
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
    places: int = PLACES
    now: float = 0.0
    served: Counter[str] = field(default_factory=Counter)
    _running: list[tuple[float, str, Record, int]] = field(default_factory=list)
    _draws: random.Random = field(default_factory=lambda: random.Random(1))

    async def until(self, tokens: int) -> None:
        """Serves until so many tokens are served in all, or nothing is left."""
        while sum(self.served.values()) < tokens:
            while len(self._running) < self.places and (record := await take(self.store)):
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


def jain(shares: Sequence[float]) -> float:
    """Jain's index of fairness: 1 where all shares are equal, 1 / n where one has all."""
    return float(sum(shares) ** 2 / (len(shares) * sum(share**2 for share in shares)))


async def test_a_flood_takes_no_more_than_its_share(store: Store) -> None:
    for _ in range(100):
        await accept(store, "flood")
    for _ in range(35):
        await accept(store, "calm")
    fleet = Fleet(store)
    await fleet.until(5000)
    assert jain([fleet.served["flood"], fleet.served["calm"]]) >= 0.99


async def test_shares_are_of_tokens_not_of_searches(store: Store) -> None:
    for _ in range(70):
        await accept(store, "short")
    for _ in range(25):
        await accept(store, "long")
    fleet = Fleet(store)
    await fleet.until(9000)
    assert jain([fleet.served["long"], fleet.served["short"]]) >= 0.97


async def test_twice_the_weight_is_twice_the_tokens(store: Store) -> None:
    for _ in range(55):
        await accept(store, "double", Share(weight=2))
        await accept(store, "single")
    fleet = Fleet(store)
    await fleet.until(6000)
    assert fleet.served["double"] / fleet.served["single"] == pytest.approx(2, rel=0.15)


async def test_who_was_idle_neither_starves_others_nor_starves(store: Store) -> None:
    for _ in range(90):
        await accept(store, "busy")
    fleet = Fleet(store)
    await fleet.until(3000)
    for _ in range(45):
        await accept(store, "idle")
    before = fleet.served["busy"]
    await fleet.until(9000)
    share = (fleet.served["busy"] - before) / 6000
    assert share == pytest.approx(0.5, abs=0.1)  # with the tokens of its idle time it would have had all
    assert fleet.served["idle"] / 6000 == pytest.approx(0.5, abs=0.1)


async def test_a_tenant_that_comes_back_is_lifted_and_never_lowered(store: Store) -> None:
    async def counter(tenant: str) -> float:
        return float(await store._redis.zscore(f"{RedisKeys().waiting}:virtual", tenant))

    for _ in range(WINDOW + 4):
        await accept(store, "busy")
    await accept(store, "new")
    assert await counter("new") == pytest.approx(await counter("busy"))  # nothing is charged to either yet
    for _ in range(3):
        await accept(store, "new")
    await Fleet(store).until(10**9)
    before = await counter("busy")
    assert before > 0
    await accept(store, "busy")
    assert await counter("busy") >= before


async def test_counters_hold_what_was_sampled_once_it_has_ended(store: Store) -> None:
    for _ in range(30):
        await accept(store, "one", Share(weight=2))
    fleet = Fleet(store)
    await fleet.until(10**9)
    found = float(await store._redis.zscore(f"{RedisKeys().waiting}:virtual", "one"))
    assert found == pytest.approx(fleet.served["one"] / 2, abs=0.01)
    assert await store._redis.exists(f"{RedisKeys().waiting}:expected") == 0


async def test_tenants_of_whom_nothing_need_be_known_are_forgotten(store: Store) -> None:
    for number in range(20):
        await accept(store, f"user{number}")
        record = await take(store)
        assert record is not None
        await end(store, record, 100)
        await store.dispatch()
    assert await store._redis.zcard(f"{RedisKeys().waiting}:virtual") <= 3
    assert await store._redis.hlen(f"{RedisKeys().waiting}:usual") <= 4


async def test_within_a_tenant_by_tier_then_deadline_then_acceptance(store: Store) -> None:
    fillers = [await accept(store) for _ in range(WINDOW)]
    waiting = {
        "second": await accept(store),
        "flex": await accept(store, tier="flex"),
        "third": await accept(store),
        "late": await accept(store, deadline_s=3000),
        "soon": await accept(store, deadline_s=600),
        "priority": await accept(store, tier="priority"),
        "flex soon": await accept(store, tier="flex", deadline_s=60),
    }
    names = {record.id: name for name, record in waiting.items()}
    found = [names[one] for one in await order_of_service(store) if one not in {filler.id for filler in fillers}]
    assert found == ["priority", "soon", "late", "second", "third", "flex soon", "flex"]


async def test_short_searches_go_first_and_long_ones_wait_only_so_long(store: Store) -> None:
    fillers = [await accept(store) for _ in range(WINDOW)]
    waiting = {
        "just came": await accept(store, max_tokens=600),
        "came a minute ago": await accept(store, max_tokens=600, accepted_ago_s=60),
        "short": await accept(store),
    }
    names = {record.id: name for name, record in waiting.items()}
    found = [names[one] for one in await order_of_service(store) if one not in {filler.id for filler in fillers}]
    assert found == ["short", "came a minute ago", "just came"]
    fillers = [await accept(store) for _ in range(WINDOW)]
    short, older = await accept(store), await accept(store, max_tokens=600, accepted_ago_s=300)
    assert (await order_of_service(store))[WINDOW:] == [older.id, short.id]


async def test_priority_goes_before_other_tenants_only_where_the_key_may(store: Store) -> None:
    for _ in range(WINDOW + 5):
        await accept(store, "crowd", tier="priority")
    plain = [await accept(store, "plain", tier="priority") for _ in range(3)]
    ahead = [await accept(store, "premium", Share(ahead=True), tier="priority") for _ in range(3)]
    behind = await accept(store, "premium", Share(ahead=True))
    order = await order_of_service(store)
    assert order[WINDOW : WINDOW + 3] == [record.id for record in ahead]
    assert order.index(behind.id) > WINDOW + 3
    assert order.index(plain[2].id) > WINDOW + 3


async def test_what_ends_before_its_turn_leaves_no_place(store: Store) -> None:
    for _ in range(WINDOW):
        await accept(store, "crowd")
    gone = await accept(store, "gone")
    assert await store.waiting_of("gone")
    claim = await store.claim(gone.id, 0, "worker", 60)
    assert claim is not None
    await end(store, claim.record, 0)
    assert not await store.waiting_of("gone")
    assert await store._redis.zscore(f"{RedisKeys().waiting}:tenants:2", "gone") is None
    assert (await store.backlog()).depth == WINDOW
    assert gone.id not in await order_of_service(store)


async def test_what_is_handed_back_goes_ahead_of_what_has_not_begun(store: Store) -> None:
    records = [await accept(store) for _ in range(WINDOW + 3)]
    taken = await take(store)
    assert taken is not None
    await store.save(replace(taken, version=1, status="running"), ())
    assert (await messages(store))[:2] == [records[0].id, records[1].id]


async def test_workers_that_die_between_taking_a_message_and_the_evolution_lose_nothing(store: Store) -> None:
    records = [await accept(store, f"tenant{number % 3}") for number in range(2 * WINDOW)]
    for _ in range(WINDOW):
        await store._redis.rpop(QUEUE)  # they are killed here
    await store.dispatch()
    assert len(await messages(store)) == WINDOW
    await asyncio.sleep(0.3)
    assert len(await store.resend_stalled(0.2)) == WINDOW
    assert await store.resend_stalled(0.2) == []
    assert sorted(await order_of_service(store)) == sorted(record.id for record in records)


async def test_a_deadline_passes_while_a_tenant_waits_for_its_turn(store: Store) -> None:
    for _ in range(WINDOW):
        await accept(store)
    due = await accept(store, deadline_s=1)
    assert [found.evolution_id for found in await store.due(time.time() + 2)] == [due.id]


async def test_those_of_whom_the_most_wait_are_told(store: Store) -> None:
    for number, count in enumerate((WINDOW, 3, 9, 5)):
        for _ in range(count):
            await accept(store, f"tenant{number}", tier="flex")
    assert await store.most_waiting(2) == {"tenant2": 9, "tenant3": 5}
    gone = await accept(store, "tenant1", Share(ahead=True), tier="priority")
    assert (await store.most_waiting())["tenant1"] == 4
    claim = await store.claim(gone.id, 0, "worker", 60)
    assert claim is not None
    await end(store, claim.record, 0)
    assert await store.most_waiting() == {"tenant2": 9, "tenant3": 5, "tenant1": 3}
    await order_of_service(store)
    assert await store.most_waiting() == {}
