"""Workers and gateways of the version before the fair queue beside today's: every counter is right in the end."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from shared.records.evolution import Record
from shared.records.spending import Spending
from shared.store.evolutions import ActiveLimits, Store
from shared.store.fair_queue import WINDOW
from shared.store.queue import Backlog
from tests.integration import version_before
from tests.integration.stages import REQUEST, record_of
from tests.integration.version_before import KEYS

MOST, SPENT = Spending(generation=4000), Spending(generation=100)
ROUNDS = 3


@pytest.fixture
async def store(redis_url: str) -> AsyncIterator[Store]:
    """A database of its own, with an empty queue."""
    store = Store(redis_url.removesuffix("/0") + "/13", ttl_s=60)
    await store._redis.flushdb()
    yield store
    await store._redis.flushdb()
    await store.close()


def new_record(tenant: str, *, whole: bool) -> Record:
    return replace(record_of(replace(REQUEST, tenant=tenant)), key_id=f"key-of-{tenant}", whole=whole)


async def next_message(store: Store) -> tuple[str, int] | None:
    if (raw := await store._redis.rpop(KEYS.queue)) is None:
        return None
    [evolution_id, version], _, _ = json.loads(json.loads(raw)["body"])
    return evolution_id, version


async def perform(store: Store, evolution_id: str, version: int, *, keeps: bool) -> bool:
    """What a worker of this version does with a message; `keeps`: it goes on to the end, otherwise it hands back."""
    holder = "new"
    if (claim := await store.claim(evolution_id, version, holder, 60)) is None:
        return False
    record = claim.record
    while True:
        ends = record.version + 1 >= ROUNDS
        record = replace(record, version=record.version + 1, status="succeeded" if ends else "running")
        following = holder if keeps and not ends else ""
        await store.save(record, (), spent=SPENT, next_holder=following, lease_s=60)
        if not following:
            return True


async def tidied(store: Store) -> None:
    """Some seconds of the sweep."""
    for _ in range(5):
        await store.dispatch()
        await store.resend_stalled(60)


async def test_every_counter_is_right_once_old_and_new_workers_are_done(store: Store) -> None:
    draw, records = random.Random(7), list[Record]()
    for number in range(12 * WINDOW):
        # Of the newer gateway's only those in one piece are read by old workers, which abandon the others.
        records.append(new_record(f"tenant{number % 3}", whole=number % 5 > 0))
        if number % 2:
            await version_before.accept(store, records[-1], MOST)
        else:
            await store.create(records[-1], ActiveLimits(estimate=MOST))
    performed = 0
    async with asyncio.timeout(60):
        while await store.active():
            while found := await next_message(store):
                evolution_id, version = found
                if draw.random() < 0.5:
                    ends = version + 1 >= ROUNDS
                    performed += await version_before.perform(store, evolution_id, version, SPENT, ends=ends)
                else:
                    performed += await perform(store, evolution_id, version, keeps=draw.random() < 0.5)
            await store.dispatch()
            await store.resend_stalled(0.01)
    assert performed >= len(records)
    await tidied(store)
    assert await store.backlog() == Backlog()
    left = set(await store._redis.keys("darwin:*")) - {KEYS.active}
    of_tenants = {f"{KEYS.waiting}:{name}" for name in ("virtual", "usual", "last")}
    spent = {key for record in records for key in KEYS.spent_by(record)}
    assert {name for name in left if not name.startswith(("darwin:evo:", "darwin:list"))} == of_tenants | spent
    for key in spent:
        assert (await store._redis.hget(key, "reserved_tokens")) in (None, "0")
    assert not await store._redis.exists(KEYS.reserved, *(KEYS.active_of(record.key_id) for record in records))


async def test_what_an_old_gateway_accepted_is_counted_among_what_waits(store: Store) -> None:
    for _ in range(3):
        await version_before.accept(store, new_record("tenant", whole=True), MOST)
    await asyncio.sleep(0.05)
    assert await store.resend_stalled(0.01) == []
    waiting = await store.backlog()
    assert waiting.depth == 3
    assert waiting.age_s >= 0.05


async def test_what_an_old_worker_holds_or_ended_does_not_count_as_waiting(store: Store) -> None:
    records = [new_record("tenant", whole=True) for _ in range(3)]
    for record in records:
        await store.create(record, ActiveLimits(estimate=MOST))
    await version_before.perform(store, records[0].id, 0, SPENT, ends=True)
    assert await version_before._CLAIM(  # its worker performs it still
        store._redis,
        record=f"darwin:evo:{{{records[1].id}}}",
        lease=f"darwin:evo:{{{records[1].id}}}:lease",
        version=0,
        holder="old",
    )
    assert (await store.backlog()).depth == 3
    before = float(await store._redis.hget(f"{KEYS.waiting}:expected", "tenant"))
    await tidied(store)
    assert (await store.backlog()).depth == 1
    after = float(await store._redis.hget(f"{KEYS.waiting}:expected", "tenant"))
    assert after == pytest.approx(before * 2 / 3)
