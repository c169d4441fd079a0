"""Who is served where more is asked for than workers can do: each tenant its share, whatever the others send."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from shared.store.evolutions import Store
from shared.store.fair_queue import WINDOW, Share
from tests.integration.layouts import Layout, emptied, every_layout
from tests.integration.serving import (
    Fleet,
    accept,
    end,
    jain,
    messages,
    most_off,
    order_of_service,
    shard_of_most,
    take,
    waiting_key,
)

pytestmark = every_layout


@pytest.fixture
async def store(layout: Layout) -> AsyncIterator[Store]:
    async with emptied(layout, 11) as store:
        yield store


async def test_a_flood_takes_no_more_than_its_share(store: Store) -> None:
    for number in range(100):
        await accept(store, "flood", shard=number)
    for number in range(36):
        await accept(store, "calm", shard=number)
    fleet = Fleet(store)
    await fleet.until(5000)
    assert fleet.served["calm"] == pytest.approx(2500, abs=most_off(store))


async def test_shares_are_of_tokens_not_of_searches(store: Store) -> None:
    for _ in range(70):
        await accept(store, "short")
    for _ in range(25):
        await accept(store, "long")
    fleet = Fleet(store)
    await fleet.until(9000)
    assert jain([fleet.served["long"], fleet.served["short"]]) >= 0.97


async def test_twice_the_weight_is_twice_the_tokens(store: Store) -> None:
    for number in range(56):
        await accept(store, "double", Share(weight=2), shard=number)
        await accept(store, "single", shard=number)
    fleet = Fleet(store)
    await fleet.until(6000)
    assert fleet.served["single"] == pytest.approx(2000, abs=most_off(store))


async def test_who_was_idle_neither_starves_others_nor_starves(store: Store) -> None:
    for number in range(92):
        await accept(store, "busy", shard=number)
    fleet = Fleet(store)
    await fleet.until(3000)
    for number in range(44):
        await accept(store, "idle", shard=number)
    before = fleet.served["busy"]
    await fleet.until(9000)
    share = (fleet.served["busy"] - before) / 6000
    assert share == pytest.approx(0.5, abs=0.1)  # with the tokens of its idle time it would have had all
    assert fleet.served["idle"] / 6000 == pytest.approx(0.5, abs=0.1)


async def test_a_tenant_that_comes_back_is_lifted_and_never_lowered(store: Store) -> None:
    async def counter(tenant: str) -> float:
        return float(await shard_of_most(store).redis.zscore(waiting_key(store, "virtual"), tenant))

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
    redis = shard_of_most(store).redis
    found = float(await redis.zscore(waiting_key(store, "virtual"), "one"))
    assert found == pytest.approx(fleet.served["one"] / 2, abs=0.01)
    assert await redis.exists(waiting_key(store, "expected")) == 0


async def test_tenants_of_whom_nothing_need_be_known_are_forgotten(store: Store) -> None:
    for number in range(20):
        await accept(store, f"user{number}")
        record = await take(store)
        assert record is not None
        await end(store, record, 100)
        await store.dispatch()
    redis = shard_of_most(store).redis
    assert await redis.zcard(waiting_key(store, "virtual")) <= 3
    assert await redis.hlen(waiting_key(store, "usual")) <= 4


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
    assert await shard_of_most(store).redis.zscore(waiting_key(store, "tenants:2"), "gone") is None
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
    shard = shard_of_most(store)
    for _ in range(WINDOW):
        await shard.redis.rpop(shard.keys.queue)  # they are killed here
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
