"""What Redis holds: versions, charges, limits, expiry, and what cannot be read."""

import asyncio
import uuid
from dataclasses import replace

import pytest

from services.orchestrator.evolving import Next
from shared.errors import Conflict, Internal, NotFound, Overloaded
from shared.records import Ended, Idempotency
from shared.store import Limits, Store
from tests.integration.stages import REQUEST, Stages, accept, evolving, finish, key, record_of


async def test_an_unreadable_record_ends_with_a_reason(store: Store) -> None:
    record = replace(record_of(REQUEST), idempotency=Idempotency(uuid.uuid4().hex, "print"))
    due = Next((await store.create(record)).id, 0)
    await store._redis.hset(key(due), "body", '{"id": 1')
    assert await evolving(store, Stages()).advance(due.evolution_id, 0) is None
    last = (await store.events(due.evolution_id))[-1].event
    assert isinstance(last, Ended)
    assert last.error is not None
    assert "cannot be read" in last.error.message
    assert await store._redis.zscore("darwin:active", due.evolution_id) is None
    assert record.idempotency is not None
    for left in (key(due), key(due, "events"), f"darwin:idempotency:{record.idempotency.key}"):
        assert await store._redis.ttl(left) > 0
    with pytest.raises(Internal, match="cannot be read"):
        await store.load(due.evolution_id)


async def test_an_unreadable_event_is_told_as_such(store: Store) -> None:
    due = await accept(store)
    await store._redis.xadd(key(due, "events"), {"event": '{"type": "no such"}'})
    with pytest.raises(Internal, match="cannot be read"):
        await store.events(due.evolution_id)


async def test_a_record_is_saved_over_its_own_version_only(store: Store) -> None:
    due = await accept(store)
    record = replace(await store.load(due.evolution_id), version=1)
    await store.save(record, ())
    await store.save(record, ())  # sent again for want of an answer
    with pytest.raises(Conflict):
        await store.save(replace(record, status="failed"), (Ended("failed"),))
    with pytest.raises(NotFound):
        await store.load("evo_none")
    assert len(await store.events(due.evolution_id)) == 1


async def test_tokens_are_charged_to_the_key_once(store: Store) -> None:
    key_id = uuid.uuid4().hex
    record = replace(record_of(REQUEST), key_id=key_id)
    await store.create(record)
    await finish(evolving(store, Stages()), Next(record.id, 0))
    result = (await store.load(record.id)).result
    assert result is not None
    assert await store.tokens_today(key_id) == result.tokens.generated > 0


async def test_limits_on_unfinished_evolutions(store: Store) -> None:
    key_id = uuid.uuid4().hex
    limits = Limits(active_per_key=2)
    records = [replace(record_of(REQUEST), key_id=key_id) for _ in range(3)]
    for record in records[:2]:
        await store.create(record, limits)
    with pytest.raises(Overloaded, match="this key has 2"):
        await store.create(records[2], limits)
    await finish(evolving(store, Stages()), Next(records[0].id, 0))
    await store.create(records[2], limits)
    with pytest.raises(Overloaded, match="queued or running"):
        await store.create(record_of(REQUEST), Limits(active=await store._redis.zcard("darwin:active")))


async def test_an_idempotency_key_names_one_evolution(store: Store) -> None:
    asked = Idempotency(uuid.uuid4().hex, "print")
    first, again = (replace(record_of(REQUEST), idempotency=asked) for _ in range(2))
    created = await asyncio.gather(store.create(first), store.create(again))
    assert created[0].id == created[1].id
    with pytest.raises(Conflict):
        await store.create(replace(record_of(REQUEST), idempotency=replace(asked, fingerprint="other")))


async def test_nothing_is_left_after_expiry(redis_url: str) -> None:
    store = Store(redis_url.removesuffix("/0") + "/7", ttl_s=1)
    record = replace(record_of(REQUEST), idempotency=Idempotency("a", "b"))
    await store.create(record)
    await finish(evolving(store, Stages()), Next(record.id, 0))
    cancelled = record_of(REQUEST)
    await store.create(cancelled)
    await store.request_cancel(cancelled.id)
    await finish(evolving(store, Stages()), Next(cancelled.id, 0))
    assert (await store.load(cancelled.id)).status == "cancelled"
    await asyncio.sleep(1.2)
    assert await store._redis.keys("*") == []
    await store.close()
