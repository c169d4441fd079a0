"""What becomes of evolutions that nobody performs: they are found, or ended where they are due, and flood nothing."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from shared.errors import Unavailable
from shared.records.evolution import EvolutionRequest
from shared.records.search import Search
from shared.store.evolutions import Store
from shared.store.leases import DUE_AT_ONCE
from shared.store.redis_keys import RedisKeys
from tests.integration.layouts import Layout, emptied, every_layout
from tests.integration.stages import REQUEST, Due, Stages, accept, advance, record_of, record_on, round_runner, shard_of

pytestmark = every_layout
SHARD = 1
"""Where those lie that are to lie together, if there are several."""


@pytest.fixture
async def store(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Store]:
    # A server whose answer is late, on a busy machine, is not away: what it found would be missed.
    monkeypatch.setattr("shared.store.shards._PATIENCE_S", 30.0)
    async with emptied(layout, 5) as store:
        yield store


async def accept_together(store: Store, request: EvolutionRequest = REQUEST) -> Due:
    return Due((await store.create(record_on(store, SHARD, request))).id)


async def is_stalled(store: Store, due: Due, idle_s: float) -> bool:
    found = await store.resend_stalled(idle_s)
    return any((one.evolution_id, one.version) == (due.evolution_id, due.version) for one in found)


async def until_stalled(store: Store, due: Due, since: float, idle_s: float = 0.2) -> float:
    """For how many seconds from `since` the sweep does not find the evolution."""
    while not await is_stalled(store, due, idle_s):
        assert time.monotonic() - since < 30
        await asyncio.sleep(0.02)
    return time.monotonic() - since


async def waited(store: Store, due: Due, seconds: float) -> None:
    """Has the evolution have waited for so long, found by the sweep again and again."""
    now = time.time()
    redis, keys = of(store, due)
    await redis.hset(keys.record(due.evolution_id), "saved_at", now - seconds)
    await redis.zadd(keys.active, {due.evolution_id: now + seconds})


def of(store: Store, due: Due) -> tuple[Any, RedisKeys]:
    """The client and the keys of the shard that an evolution lies on."""
    shard = shard_of(store, due)
    return shard.redis, shard.keys


async def sent(store: Store) -> list[list[object]]:
    """What the queues hold, the next message of each first."""
    raw = await store._shards.all(lambda shard: shard.redis.lrange(shard.keys.queue, 0, -1))
    return [json.loads(json.loads(one)["body"])[0] for queue in raw for one in reversed(queue)]


async def test_what_is_lost_is_found_less_and_less_often(store: Store) -> None:
    due = await accept(store)
    redis, keys = of(store, due)
    record = keys.record(due.evolution_id)
    await redis.delete(keys.queue)
    assert not await is_stalled(store, due, idle_s=30)
    # By the server's clock, and as it notes it: whether and how late this process hears of it says nothing.
    saved_at, found_at, before = float(await redis.hget(record, "saved_at")), [], await redis.hget(record, "sent_at")
    async with asyncio.timeout(60):
        while len(found_at) < 4:
            await redis.delete(keys.queue)
            await store.resend_stalled(0.1)
            if (sent_at := await redis.hget(record, "sent_at")) != before:
                before = sent_at
                found_at.append(float(sent_at))
            await asyncio.sleep(0.02)
    assert found_at[0] - saved_at >= 0.1
    # Each pause is as long as all that went before, so a late look makes the next one longer still.
    for before, after in pairwise(found_at):
        assert after - before >= before - saved_at - 0.001


async def test_however_long_it_has_waited_it_is_found_again_within_half_a_minute(store: Store) -> None:
    due = await accept(store)
    redis, keys = of(store, due)
    await redis.delete(keys.queue)
    await redis.hset(keys.record(due.evolution_id), "saved_at", time.time() - 3600)
    await redis.zadd(keys.active, {due.evolution_id: time.time() - 5})
    assert await is_stalled(store, due, idle_s=5)
    assert 0 < await redis.zscore(keys.active, due.evolution_id) - time.time() <= 25


async def test_what_waits_in_the_queue_is_not_sent_twice(store: Store) -> None:
    first, second = await accept_together(store), await accept_together(store)
    await asyncio.sleep(0.15)
    assert await store.resend_stalled(0.1) == []
    assert len(await sent(store)) == 2
    redis, keys = of(store, first)
    await redis.rpop(keys.queue)  # a worker takes the first message, and dies before it takes the evolution
    await until_stalled(store, first, time.monotonic())
    assert await sent(store) == [[first.evolution_id, 0], [second.evolution_id, 0]]


async def test_a_worker_that_dies_after_a_long_wait_is_found_by_its_lease(store: Store) -> None:
    due = await accept(store)
    await waited(store, due, 300)
    began = time.monotonic()
    assert await store.claim(due.evolution_id, 0, "somebody", 0.3)
    assert await until_stalled(store, due, began) >= 0.3


async def test_a_worker_that_dies_between_two_saves_is_found_by_its_lease(store: Store) -> None:
    due = await accept(store)
    claim = await store.claim(due.evolution_id, 0, "first", 10)
    assert claim is not None
    began = time.monotonic()
    assert await store.save(replace(claim.record, version=1), (), next_holder="second", lease_s=0.3)
    assert await until_stalled(store, Due(due.evolution_id, 1), began) >= 0.3
    claim = await store.claim(due.evolution_id, 1, "third", 10)
    assert claim is not None
    assert (claim.deaths, [lost.id for lost in claim.lost]) == (1, ["second"])


async def test_sweep_leaves_what_is_held_and_finds_it_when_its_holder_is_gone(store: Store) -> None:
    due, began = await accept(store), time.monotonic()
    assert await store.claim(due.evolution_id, 0, "somebody", 0.3)
    assert await until_stalled(store, due, began, idle_s=0.05) >= 0.3


async def test_what_has_begun_goes_ahead_of_what_has_not(store: Store) -> None:
    begun, queued = await accept_together(store), await accept_together(store)
    redis, keys = of(store, begun)
    await redis.rpop(keys.queue)
    following = await advance(store, round_runner(store, Stages()), begun)
    assert await sent(store) == [[begun.evolution_id, 1], [queued.evolution_id, 0]]
    assert following == Due(begun.evolution_id, 1)


async def test_a_message_that_has_a_delay_is_left_alone_until_then(store: Store) -> None:
    due = await accept(store)
    record = replace(await store.load(due.evolution_id), version=1)
    began = time.monotonic()
    await store.save(record, (), delay_s=0.4)
    assert await until_stalled(store, Due(due.evolution_id, 1), began) >= 0.4


async def test_a_deadline_passes_in_the_queue_too(store: Store) -> None:
    redis, keys = of(store, await accept(store, replace(REQUEST, search=Search(deadline_ms=60_000))))
    assert await store.due(time.time()) == []
    await redis.delete(keys.deadlines)
    request = replace(REQUEST, search=Search(deadline_ms=100))
    due = Due((await store.create(replace(record_of(request), created_at=time.time() - 1))).id)
    (found,) = await store.due(time.time())
    worker = round_runner(store, stages := Stages())
    await worker.conclude(found.evolution_id, found.version)
    record = await store.load(due.evolution_id)
    assert (record.status, record.error and record.error.code) == ("failed", "DeadlineExceeded")
    assert stages.generated == []
    assert await store.due(time.time()) == []
    redis, keys = of(store, due)
    assert await redis.zcard(keys.deadlines) == 0


async def test_a_deadline_between_two_rounds_is_answered_with_the_best_so_far(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    due = await accept(store, replace(REQUEST, search=Search(period=6, deadline_ms=60_000)))
    assert await advance(store, round_runner(store, Stages()), due) == Due(due.evolution_id, 1)
    assert await store.due(time.time()) == []
    (found,) = await store.due(time.time() + 61)
    await round_runner(store, Stages()).conclude(found.evolution_id, found.version)  # too early: it is left as it is
    assert (await store.load(due.evolution_id)).status == "running"
    monkeypatch.setattr("services.orchestrator.next_version.seconds_left", lambda record: -1.0)
    await round_runner(store, Stages()).conclude(found.evolution_id, found.version)
    record = await store.load(due.evolution_id)
    assert record.status == "succeeded"
    assert record.result is not None
    assert record.result.stopped_by == "deadline_ms"


async def test_a_cancel_does_not_wait_for_the_queue(store: Store) -> None:
    due = await accept(store)
    redis, keys = of(store, due)
    await redis.delete(keys.queue)
    await store.request_cancel(due.evolution_id)
    assert await redis.llen(keys.queue) == 0
    (found,) = await store.due(time.time())
    workers = [round_runner(store, Stages()) for _ in range(3)]
    await asyncio.gather(*(worker.conclude(found.evolution_id, found.version) for worker in workers))
    assert (await store.load(due.evolution_id)).status == "cancelled"
    assert len(await store.attempts(due.evolution_id)) == 1


async def test_what_many_of_one_tenant_cancel_does_not_hold_up_anothers(store: Store) -> None:
    async def accept_of(tenant: str, **search: int) -> str:
        request = replace(REQUEST, tenant=tenant, search=Search(**search))  # type: ignore[arg-type]
        return (await accept_together(store, request)).evolution_id

    flood = [await accept_of("flood", deadline_ms=1000) for _ in range(2 * DUE_AT_ONCE)]
    steady = await accept_of("steady"), await accept_of("steady", deadline_ms=2000)
    for evolution_id in (*flood, steady[0]):
        await store.request_cancel(evolution_id)
    for _ in range(3):
        found = {found.evolution_id for found in await store.due(time.time() + 60)}
        assert found >= set(steady)
        assert DUE_AT_ONCE <= len(found) <= 2 * DUE_AT_ONCE


async def test_a_cancel_among_thousands_of_another_tenant_is_found_at_each_look(store: Store) -> None:
    due = await accept(store, replace(REQUEST, tenant="steady"))
    steady, (shards_redis, keys) = due.evolution_id, of(store, due)
    await store.request_cancel(steady)
    flood = [f"evo_flood{number}" for number in range(4000)]
    async with shards_redis.pipeline(transaction=False) as pipeline:
        for evolution_id in flood:
            pipeline.hset(keys.record(evolution_id), mapping={"version": "0", "tenant": "flood"})
        await pipeline.execute()
    await shards_redis.zadd(keys.active, dict.fromkeys(flood, time.time()))
    await shards_redis.sadd(keys.cancelled, *flood)
    for _ in range(10):
        found = [found.evolution_id for found in await store.due(time.time())]
        assert steady in found
        assert len(found) == DUE_AT_ONCE


async def test_what_many_cancel_is_ended_without_a_pause(store: Store) -> None:
    dues = [await accept(store) for _ in range(6 * DUE_AT_ONCE)]
    for due in dues:
        await store.request_cancel(due.evolution_id)
    await round_runner(store, Stages()).conclude_due()
    assert {(await store.load(due.evolution_id)).status for due in dues} == {"cancelled"}
    assert await store.cancelled([due.evolution_id for due in dues]) == set()


async def test_what_cannot_be_ended_is_not_tried_without_end(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(DUE_AT_ONCE + 1):
        await store.request_cancel((await accept(store)).evolution_id)
    tried: Counter[str] = Counter()

    async def refuse(evolution_id: str, *_: object) -> None:
        tried[evolution_id] += 1
        raise Unavailable("Redis takes no writes")

    monkeypatch.setattr(store, "claim", refuse)
    await round_runner(store, Stages()).conclude_due()
    assert len(tried) >= DUE_AT_ONCE
    assert max(tried.values()) <= 2


async def test_what_is_held_is_ended_by_its_holder(store: Store) -> None:
    due = await accept(store, replace(REQUEST, search=Search(deadline_ms=1)))
    assert await store.claim(due.evolution_id, 0, "somebody", 60)
    await store.request_cancel(due.evolution_id)
    assert await store.due(time.time() + 1) == []
    redis, keys = of(store, due)
    await redis.delete(keys.lease(due.evolution_id))  # it ran out
    assert [found.evolution_id for found in await store.due(time.time() + 5)] == [due.evolution_id]


async def test_lists_are_tidied_though_their_oldest_search_goes_on(store: Store) -> None:
    old, shard = time.time() - 1000, store._shards[0]
    listing = shard.keys.listing(None)
    for number in range(25):
        await store.create(replace(record_of(REQUEST), id=f"evo_long{number}", created_at=old + number))
    await shard.redis.zadd(listing, {f"evo_gone{number}": old + 100 + number for number in range(50)})
    left = 50
    for _ in range(100):
        await store.create(record_on(store, 0))
        names = await shard.redis.zrange(listing, 0, -1)
        left = sum(name.startswith("evo_gone") for name in names)
        assert sum(name.startswith("evo_long") for name in names) == 25
        if not left:
            break
    assert left == 0
