"""What lies on several shards: workers take from all of them, one that is away stops no other, nothing is lost."""

import asyncio
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from services.orchestrator.broker import sharded_celery_app
from services.orchestrator.pool import LoopThread, pool_on
from services.orchestrator.shard_queues import ShardQueues
from services.orchestrator.tasks import register
from shared.errors import Overloaded, Unavailable, Unsupported
from shared.records.evolution import TERMINAL, Record
from shared.records.spending import Budget, Spending, Standing
from shared.store import accounts
from shared.store.access import check_access
from shared.store.evolutions import Store
from shared.store.limits import ActiveLimits
from shared.store.queue import message
from shared.store.shards import Shards
from shared.store.webhooks import Webhooks
from tests.integration.clusters import Cluster, cluster
from tests.integration.layouts import Layout
from tests.integration.stages import REQUEST, Stages, accept, finish, record_of, round_runner

SHARDS = 8
several = pytest.mark.parametrize("layout", ["two", "cluster"], indirect=True)


def apart(store: Store, key_id: str) -> Record:
    """Of a key whose home is another shard."""
    while True:
        record = replace(record_of(REQUEST), key_id=key_id)
        if store._home(record):
            return record


async def standing(store: Store, record: Record) -> Standing:
    return (await store.spent(record.key_id, record.created_at))["tokens", "day"]


@several
async def test_what_lies_on_several_shards_is_counted_and_found_together(store: Store) -> None:
    active, backlog = await store.active(), await store.backlog()
    tenant = uuid.uuid4().hex
    accepted = [await accept(store, replace(REQUEST, tenant=tenant)) for _ in range(12)]
    assert len({store.shard_of(due.evolution_id) for due in accepted}) > 1
    assert (await store.active(), (await store.backlog()).depth) == (active + 12, backlog.depth + 12)
    assert await store.waiting_of("nobody") is False
    found: list[str] = []
    while page := await store.listed(tenant, found[-1] if found else None, 5):
        found += [summary.id for summary in page]
    assert found == [due.evolution_id for due in reversed(accepted)]
    ids = {due.evolution_id for due in accepted}
    for due in accepted[1:]:
        await store.request_cancel(due.evolution_id)
    assert await store.cancelled([*ids, "evo_unknown"]) == ids - {accepted[0].evolution_id}
    await store.request_cancel(accepted[0].evolution_id)
    assert ids <= {waiting.evolution_id for waiting in await store.due(time.time())}
    for due in accepted:
        await finish(store, round_runner(store, Stages()), due)


@several
async def test_what_a_dead_worker_spent_is_settled_by_the_sweep(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "_SETTLED_S", 0.0)
    monkeypatch.setattr(store, "_settle_soon", lambda evolution_id, ended: None)
    key_id = uuid.uuid4().hex
    limits = ActiveLimits(budgets=(Budget("tokens", "day", 1000),), estimate=Spending(generation=100))
    record = await store.create(apart(store, key_id), limits)
    for version in (1, 2):
        saved = replace(record, version=version, status="running")
        await store.save(saved, (), spent=Spending(generation=30))
        assert (await store.spent(key_id, record.created_at))["tokens", "day"] == Standing(
            30 * (version - 1), 130 - 30 * version
        )
        await asyncio.gather(store.settle_left(), store.settle_left())
        assert (await store.spent(key_id, record.created_at))["tokens", "day"] == Standing(
            30 * version, 100 - 30 * version
        )
    shard = store._shards.of(record.id)
    assert not await shard.redis.hexists(shard.keys.outbox, record.id)


@several
async def test_what_was_reserved_for_nothing_is_given_back(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    key_id, limits = uuid.uuid4().hex, ActiveLimits(active_per_key=2, estimate=Spending(generation=100))
    lost, kept = apart(store, key_id), apart(store, key_id)
    with monkeypatch.context() as patched:
        patched.setattr(store, "_create", _away)
        with pytest.raises(Unavailable):
            await store.create(lost, limits)
    await store.create(kept, limits)
    refused = apart(store, key_id)
    with pytest.raises(Overloaded, match="this key has 2"):
        await store.create(refused, limits)
    monkeypatch.setattr(accounts, "_ACCEPTED_S", 0.0)
    await store.settle_left()
    assert await store.active_of(key_id) == 1
    assert await standing(store, kept) == Standing(0, 100)
    await store.create(refused, limits)


@several
async def test_who_asks_again_at_once_finds_the_place_and_the_budget_that_an_end_has_freed(store: Store) -> None:
    key_id, budget = uuid.uuid4().hex, Budget("tokens", "day", 100)
    limits = ActiveLimits(active_per_key=1, budgets=(budget,), estimate=Spending(generation=100))
    for _ in range(3):
        record = await store.create(apart(store, key_id), limits)
        with pytest.raises(Overloaded):
            await store.create(apart(store, key_id), limits)
        ended = replace(record, version=1, status="succeeded", finished_at=time.time())
        await store.save(ended, (), spent=Spending(generation=10))
    await store.settled()
    assert await standing(store, record) == Standing(30, 0)


async def _away(*_: object) -> None:
    raise Unavailable("away")


@several
async def test_notices_of_every_shard_are_told(layout: Layout) -> None:
    webhooks = Webhooks(layout.url, shards=layout.shards)
    for shard in webhooks._shards:
        await shard.redis.delete(shard.keys.notices)
        await shard.redis.lpush(shard.keys.notices, f"response {shard.number}")
    told = set()
    while notice := await webhooks.notice():
        assert await webhooks.spread(notice, ())
        told.add(notice)
    assert told == {f"response {shard.number}" for shard in webhooks._shards}
    await webhooks.close()


@contextmanager
def celery(layout: Layout, concurrency: int) -> Iterator[list[str]]:
    """A Celery worker; what it has begun. What it begins never ends before the worker stops."""
    loop, begun, ending = LoopThread(), list[str](), asyncio.Event()
    shards = Shards.connect(layout.url, layout.shards)
    queues = ShardQueues(shards, loop)

    async def perform(evolution_id: str, _: int) -> None:
        begun.append(evolution_id)
        if concurrency == 1:
            await ending.wait()

    app = sharded_celery_app(queues)
    register(app, perform)
    worker = app.Worker(
        pool=pool_on(loop), concurrency=concurrency, quiet=True, without_mingle=True, without_gossip=True
    )
    working = threading.Thread(target=worker.start)
    working.start()
    yield begun
    loop.call_later(0, ending.set)
    worker.stop()
    working.join(20)
    loop.run(queues.close())
    loop.run(shards.close())
    loop.stop()
    app.close()
    assert not working.is_alive()


@pytest.mark.parametrize("layout", ["cluster"], indirect=True)
async def test_a_worker_takes_what_every_shard_has_and_no_more_than_it_holds(store: Store, layout: Layout) -> None:
    for shard in store._shards:
        await shard.redis.delete(shard.keys.queue)
    ids = [record_of(REQUEST).id for _ in range(24)]
    for number, evolution_id in enumerate(ids):
        shard = store._shards.of(evolution_id)
        await shard.redis.lpush(shard.keys.queue, message(evolution_id, 0, delay_s=0.5 if number == 0 else 0.0))
    with celery(layout, 1) as begun:
        async with asyncio.timeout(20):
            while not begun:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.8)
        # It performs one, and perhaps has taken that which has a delay; what it took from others it has given back.
        assert len(begun) <= 2
        assert await _queued(store) >= 22
    with celery(layout, 40) as others:
        async with asyncio.timeout(20):
            # What the first had taken and not begun when it stopped is left to the sweep.
            while await _queued(store) or len(begun) + len(others) < 22:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    assert len({*begun, *others}) == len(begun) + len(others)
    assert {*begun, *others} <= set(ids)


async def _queued(store: Store) -> int:
    return sum(await store._shards.all(lambda shard: shard.redis.llen(shard.keys.queue)))


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster whose first primary has a replica."""
    with cluster(tmp_path_factory.mktemp("nodes"), replicas=1) as made:
        yield made


async def test_while_a_node_is_away_the_others_go_on_and_nothing_is_lost(nodes: Cluster) -> None:
    store = Store(nodes.url, ttl_s=60, shards=SHARDS)
    key_id = uuid.uuid4().hex
    records = [replace(record_of(REQUEST), key_id=key_id) for _ in range(40)]
    for record in records:
        await store.create(record)
    owners = [nodes.owner(shard.keys.active) for shard in store._shards]
    away = next(port for port in owners if port != nodes.primaries[0])
    nodes.kill(away)
    hit = [record for record in records if owners[store.shard_of(record.id)] == away]
    well = [record for record in records if record not in hit]
    assert hit
    assert well
    worker = round_runner(store, Stages(), heartbeat_s=0.1)
    began = time.monotonic()
    await asyncio.gather(*(worker.advance(record.id, 0) for record in well))
    await store.resend_stalled(idle_s=30)
    await store.dispatch()
    assert time.monotonic() - began < 15
    assert {(await store.load(record.id)).status for record in well} == {"succeeded"}
    for record in hit[:2]:
        with pytest.raises(Unavailable):
            await store.load(record.id)
    nodes.start(away)
    nodes.settle()
    await asyncio.gather(*(worker.advance(record.id, 0) for record in hit))
    assert {(await store.load(record.id)).status for record in hit} == {"succeeded"}
    await store.settled()
    async with asyncio.timeout(10):
        while await store.active_of(key_id):
            await store.settle_left()
            await asyncio.sleep(0.2)
    spent = await standing(store, records[0])
    results = [(await store.load(record.id)).result for record in records]
    assert spent.used == sum(result.tokens.generated for result in results if result)
    assert spent.reserved == 0
    await store.close()


async def test_after_a_failover_a_shard_goes_on_with_the_new_primary(nodes: Cluster) -> None:
    store = Store(nodes.url, ttl_s=60, shards=SHARDS)
    first = nodes.primaries[0]
    shard = next(shard for shard in store._shards if nodes.owner(shard.keys.active) == first)
    records = []
    while not records or store.shard_of(records[-1].id) != shard.number:
        records.append(await store.create(record_of(REQUEST)))
    record = records[-1]
    stages = Stages(delay_s=0.3)
    task = asyncio.ensure_future(round_runner(store, stages, heartbeat_s=0.1).advance(record.id, 0))
    await stages.called.wait()
    await shard.redis.wait(1, 2000)
    nodes.kill(first)
    async with asyncio.timeout(30):
        await task  # What it found waited for the new primary.
    found = await store.load(record.id)
    assert found.status in TERMINAL
    assert len(stages.generated) == len({effect.key for effect in stages.generated})
    assert nodes.owner(shard.keys.active) not in {first, *nodes.primaries[1:]}
    await store.close()


async def test_the_number_and_order_of_shards_cannot_change(redis_urls: str, cluster_url: str, tmp_path: Path) -> None:
    first, second = (f"{url.removesuffix('/0')}/14" for url in redis_urls.split(","))
    assert first != second
    await check_access(f"{first},{second}")
    await check_access(f"{first},{second}", 2)
    for url, count in (
        (f"{second},{first}", None),
        (f"{first},{second}", 4),
        (first, None),
        (second, None),
        (first, 2),
        (second, 2),
    ):
        with pytest.raises(Unsupported, match=r"shard [01] of 2"):
            await check_access(url, count)
    with pytest.raises(Unsupported, match=r"a Redis Cluster.* set DARWIN_REDIS_SHARDS to 2 or more"):
        await check_access(cluster_url.partition(",")[0])
    single = f"{first.removesuffix('/14')}/15"
    await check_access(single)
    with pytest.raises(Unsupported, match="holds shard 0 of 1"):
        await check_access(single, 4)
    for url in (first, second, single):
        with suppress(Unavailable):
            store = Store(url, ttl_s=60)
            await store._redis.flushdb()
            await store.close()
