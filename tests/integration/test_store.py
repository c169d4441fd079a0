"""What Redis holds: versions, attempts, lists, charges, limits, expiry, and what cannot be read."""

import asyncio
import time
import uuid
from dataclasses import replace

import pytest

from shared.errors import Conflict, Internal, NotFound, Overloaded, Unavailable
from shared.records.attempts import Attempt
from shared.records.events import Ended
from shared.records.evolution import Failure, Idempotency
from shared.records.spending import PERIODS
from shared.store.evolutions import Store
from shared.store.limits import ActiveLimits
from shared.store.queue import QUEUE
from shared.store.redis_keys import RedisKeys
from tests.integration.layouts import every_layout
from tests.integration.stages import REQUEST, Due, Stages, accept, finish, record_of, round_runner, shard_of


@every_layout
async def test_an_unreadable_record_ends_with_a_reason(store: Store) -> None:
    record = record_of(REQUEST, Idempotency(uuid.uuid4().hex, "print"))
    due = Due((await store.create(record)).id, 0)
    shard = shard_of(store, due)
    await shard.redis.hset(shard.keys.record(record.id), "body", '{"id": 1')
    await round_runner(store, Stages()).advance(due.evolution_id, 0)
    last = (await store.events(due.evolution_id))[-1].event
    assert isinstance(last, Ended)
    assert last.error is not None
    assert "cannot be read" in last.error.message
    assert await shard.redis.zscore(shard.keys.active, due.evolution_id) is None
    for left in (shard.keys.record(record.id), shard.keys.events(record.id), shard.keys.idempotency(record)):
        assert await shard.redis.ttl(left) > 0
    with pytest.raises(Internal, match="cannot be read"):
        await store.load(due.evolution_id)


@every_layout
async def test_an_unreadable_event_is_reported_as_such(store: Store) -> None:
    due = await accept(store)
    shard = shard_of(store, due)
    await shard.redis.xadd(shard.keys.events(due.evolution_id), {"event": '{"type": "no such"}'})
    with pytest.raises(Internal, match="cannot be read"):
        await store.events(due.evolution_id)


@every_layout
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


@every_layout
async def test_tokens_are_charged_to_the_key_once(store: Store) -> None:
    key_id = uuid.uuid4().hex
    record = replace(record_of(REQUEST), key_id=key_id)
    await store.create(record)
    await finish(store, round_runner(store, Stages()), Due(record.id, 0))
    result = (await store.load(record.id)).result
    assert result is not None
    spent = await store.spent(key_id, record.created_at)
    assert {spent["tokens", period].used for period in PERIODS} == {result.tokens.generated}
    assert result.tokens.generated > 0


@every_layout
async def test_limits_on_unfinished_evolutions(store: Store) -> None:
    key_id = uuid.uuid4().hex
    limits = ActiveLimits(active_per_key=2)
    records = [replace(record_of(REQUEST), key_id=key_id) for _ in range(3)]
    for record in records[:2]:
        await store.create(record, limits)
    with pytest.raises(Overloaded, match="this key has 2"):
        await store.create(records[2], limits)
    await finish(store, round_runner(store, Stages()), Due(records[0].id, 0))
    await store.create(records[2], limits)
    with pytest.raises(Overloaded, match="queued or running"):
        await store.create(record_of(REQUEST), ActiveLimits(active=0))


@every_layout
async def test_an_idempotency_key_names_one_evolution(store: Store) -> None:
    asked = Idempotency(uuid.uuid4().hex, "print")
    first, again = (record_of(REQUEST, asked) for _ in range(2))
    created = await asyncio.gather(store.create(first), store.create(again))
    assert created[0].id == created[1].id
    with pytest.raises(Conflict):
        await store.create(record_of(REQUEST, replace(asked, fingerprint="other")))


@every_layout
async def test_a_claim_names_holders_that_were_lost_and_no_others(store: Store) -> None:
    evolution_id = (await accept(store)).evolution_id
    assert await claimed(store, evolution_id, "first") == (0, [])
    assert await claimed(store, evolution_id, "first") == (0, [])  # sent again for want of an answer
    assert await store.claim(evolution_id, 0, "second", 10) is None
    shard = shard_of(store, Due(evolution_id))
    await shard.redis.delete(shard.keys.lease(evolution_id))  # it ran out: nobody renewed it
    assert await claimed(store, evolution_id, "second") == (1, ["first"])
    await store.release(evolution_id, "second")
    assert await claimed(store, evolution_id, "third") == (1, ["first"])
    record = replace(await store.load(evolution_id), version=1)
    await store.save(record, ())
    assert await claimed(store, evolution_id, "fourth", version=1) == (0, [])


async def claimed(store: Store, evolution_id: str, holder: str, version: int = 0) -> tuple[int, list[str]]:
    """How many holders were lost, and which."""
    claim = await store.claim(evolution_id, version, holder, 10)
    assert claim is not None
    assert all(abs(lost.started_at - time.time()) < 10 for lost in claim.lost)
    return claim.deaths, [lost.id for lost in claim.lost]


@every_layout
@pytest.mark.usefixtures("no_retries")
async def test_attempts_are_kept_with_the_version_they_made(store: Store) -> None:
    due = await accept(store)
    assert await store.attempts(due.evolution_id) == []
    await finish(store, round_runner(store, Stages(failures=[Unavailable("away")])), due)
    attempts = await store.attempts(due.evolution_id)
    record = await store.load(due.evolution_id)
    assert [attempt.version for attempt in attempts] == list(range(1, record.version + 1))
    assert [attempt.error.code for attempt in attempts if attempt.error] == ["Unavailable"]
    assert attempts[1].after == attempts[0].id
    assert not any(attempt.after for attempt in attempts[2:])
    stages = {call.stage for attempt in attempts for call in attempt.calls}
    assert stages == {"mutation", "generation", "reward"}
    assert await store.attempts("evo_none") == []


@every_layout
async def test_an_attempt_is_saved_with_its_version_or_not_at_all(store: Store) -> None:
    due = await accept(store)
    record = replace(await store.load(due.evolution_id), version=1)
    mine, other = (Attempt(name, 1, 1, 1, 0.0, 1.0) for name in ("mine", "other"))
    await store.save(record, (), attempt=mine)
    await store.save(record, (), attempt=mine)  # sent again for want of an answer
    with pytest.raises(Conflict):
        await store.save(replace(record, status="running"), (), attempt=other)
    assert await store.attempts(due.evolution_id) == [mine]
    shard = shard_of(store, due)
    await shard.redis.xadd(shard.keys.attempts(due.evolution_id), {"attempt": "{}"})
    with pytest.raises(Internal, match="cannot be read"):
        await store.attempts(due.evolution_id)


@every_layout
async def test_evolutions_are_listed_by_tenant_last_accepted_first(store: Store) -> None:
    mine, other = uuid.uuid4().hex, uuid.uuid4().hex
    ids = [await listable(store, mine, index) for index in range(5)]
    await listable(store, other, 9)
    assert [summary.id for summary in await store.listed(mine, None, 3)] == ids[:1:-1]
    assert [summary.id for summary in await store.listed(mine, ids[2], 3)] == ids[1::-1]
    assert await store.listed(mine, ids[0], 3) == []
    everyone = {summary.tenant for summary in await store.listed(None, None, 6)}
    assert {mine, other} <= everyone
    with pytest.raises(NotFound):
        await store.listed(mine, "evo_none", 3)
    with pytest.raises(NotFound):
        await store.listed(other, ids[0], 3)


async def listable(store: Store, tenant: str, age: int) -> str:
    record = replace(record_of(replace(REQUEST, tenant=tenant)), created_at=time.time() + age)
    return (await store.create(record)).id


@every_layout
async def test_a_list_says_how_each_ended_and_passes_over_what_expired(store: Store) -> None:
    tenant = uuid.uuid4().hex
    ended, expired, queued = [await listable(store, tenant, index) for index in range(3)]
    await finish(store, round_runner(store, Stages()), Due(ended, 0))
    shard = shard_of(store, Due(expired))
    await shard.redis.delete(shard.keys.record(expired))
    first, last = await store.listed(tenant, None, 9)
    assert (first.id, first.status, first.reward, first.gain, first.seconds) == (queued, "queued", None, None, None)
    result = (await store.load(ended)).result
    assert result is not None
    assert result.base is not None
    assert (last.id, last.status, last.rounds, last.method) == (ended, "succeeded", result.rounds, "darwin")
    assert (last.reward, last.base_reward) == (result.choices[0].reward, result.base.reward)
    assert last.instruction == REQUEST.messages[-1].content
    assert [summary.id for summary in await store.listed(tenant, queued, 1)] == [ended]


@pytest.mark.parametrize("length", [10, 5000])
async def test_a_list_says_how_it_stands_with_each_however_long_its_request_is(store: Store, length: int) -> None:
    tenant = uuid.uuid4().hex
    system = replace(REQUEST.messages[0], role="system", content="x" * length)
    record = record_of(replace(REQUEST, tenant=tenant, messages=(system, *REQUEST.messages)))
    await store.create(record)
    stored = await store._redis.hgetall(RedisKeys().record(record.id))
    assert ("summary" in stored) == (length > 1000), "it is made of what is short"

    async def status() -> tuple[str, str | None]:
        (summary,) = await store.listed(tenant, None, 9)
        assert summary.instruction == REQUEST.messages[-1].content
        return summary.status, summary.error

    assert await status() == ("queued", None)
    failed = replace(record, version=1, status="running", error=Failure("Unavailable", "away"))
    await store.save(failed, ())
    assert await status() == ("running", "Unavailable")
    await store.abandon(record.id, Failure("Internal", "it cannot be read"))
    assert await store.listed(tenant, None, 9) == []


async def test_nothing_is_left_after_expiry(redis_url: str) -> None:
    store = Store(redis_url.removesuffix("/0") + "/7", ttl_s=1)
    record = record_of(REQUEST, Idempotency("a", "b"))
    await store.create(record)
    await finish(store, round_runner(store, Stages()), Due(record.id, 0))
    cancelled = record_of(REQUEST)
    await store.create(cancelled)
    await store.request_cancel(cancelled.id)
    await finish(store, round_runner(store, Stages()), Due(cancelled.id, 0))
    assert (await store.load(cancelled.id)).status == "cancelled"
    await store.request_cancel(cancelled.id)  # too late
    await asyncio.sleep(2.2)  # lists stay twice as long
    of_tenants = {f"{RedisKeys().waiting}:{name}" for name in ("virtual", "usual", "last")}
    assert set(await store._redis.keys("*")) == {QUEUE, *of_tenants}
    await store._redis.delete(QUEUE, *of_tenants)
    await store.close()
