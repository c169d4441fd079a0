"""Who performs a round where several could, and what becomes of it where nobody does."""

import asyncio
import time
import uuid
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from redis.exceptions import ResponseError

from cli.stack.redis_server import start_redis
from services.orchestrator import leases
from shared.store.evolutions import Store
from tests.integration.layouts import every_layout
from tests.integration.stages import REQUEST, Due, Stages, accept, advance, finish, round_runner, shard_of


@every_layout
async def test_two_workers_at_once_perform_a_round_once(store: Store) -> None:
    due, stages = await accept(store), Stages(delay_s=0.1)
    workers = [round_runner(store, stages), round_runner(store, stages)]
    await asyncio.gather(*(worker.advance(due.evolution_id, 0) for worker in workers))
    record = await store.load(due.evolution_id)
    assert record.status == "succeeded"
    assert [attempt.version for attempt in await store.attempts(record.id)] == list(range(1, record.version + 1))
    assert len(stages.generated) == len({effect.key for effect in stages.generated})


@every_layout
async def test_a_worker_that_lost_its_lease_saves_nothing(store: Store) -> None:
    due, stages = await accept(store), Stages(delay_s=5)
    task = asyncio.ensure_future(round_runner(store, stages, heartbeat_s=0.05).advance(due.evolution_id, 0))
    await stages.called.wait()
    await shard_of(store, due).redis.set(shard_of(store, due).keys.lease(due.evolution_id), "somebody else")
    await task
    assert stages.in_flight == 0
    assert (await store.load(due.evolution_id)).version == 0


@every_layout
async def test_workers_that_die_over_one_round_end_the_evolution(store: Store) -> None:
    due = await accept(store)
    for death in range(3):
        claim = await store.claim(due.evolution_id, 0, f"worker {death}", 10)
        assert claim is not None
        assert claim.deaths == death
        await shard_of(store, due).redis.delete(shard_of(store, due).keys.lease(due.evolution_id))
    await round_runner(store, Stages(), max_deaths=3).advance(due.evolution_id, 0)
    record = await store.load(due.evolution_id)
    assert record.status == "failed"
    assert record.error is not None
    assert "3 workers ended" in record.error.message


@every_layout
async def test_what_was_found_before_workers_died_over_a_round_is_the_answer(store: Store) -> None:
    due = await accept(store)
    following = await advance(store, round_runner(store, Stages()), due)
    assert following is not None
    for death in range(3):
        assert await store.claim(due.evolution_id, following.version, f"worker {death}", 10) is not None
        await shard_of(store, due).redis.delete(shard_of(store, due).keys.lease(due.evolution_id))
    await round_runner(store, Stages(), max_deaths=3).advance(due.evolution_id, following.version)
    record = await store.load(due.evolution_id)
    assert record.result is not None
    assert (record.status, record.result.stopped_by) == ("succeeded", "error")
    assert record.result.choices[0].reward is not None


@every_layout
async def test_an_interrupted_round_is_left_to_others_at_once(store: Store) -> None:
    due, stages = await accept(store), Stages(delay_s=30)
    worker = round_runner(store, stages, heartbeat_s=0.05)
    task = asyncio.ensure_future(worker.advance(due.evolution_id, 0))
    await stages.called.wait()
    worker.interrupt()
    await task
    assert (await store.load(due.evolution_id)).version == 1
    assert stages.in_flight == 0
    claim = await store.claim(due.evolution_id, 1, "another", 10)
    assert claim is not None
    assert claim.deaths == 0


@every_layout
async def test_a_lease_that_ran_out_unnoticed_is_taken_again(store: Store) -> None:
    due, stages = await accept(store), Stages(delay_s=0.5)
    task = asyncio.ensure_future(round_runner(store, stages, heartbeat_s=0.1).advance(due.evolution_id, 0))
    await stages.called.wait()
    await shard_of(store, due).redis.delete(shard_of(store, due).keys.lease(due.evolution_id))
    await task
    assert (await store.load(due.evolution_id)).status == "succeeded"


async def test_a_finished_round_waits_for_redis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.store.connection.TIMEOUT_S", 0.5)
    server, url = start_redis(tmp_path)
    store = Store(url, ttl_s=60)
    due, stages = await accept(store), Stages(delay_s=0.3)
    task = asyncio.ensure_future(round_runner(store, stages, heartbeat_s=0.1).advance(due.evolution_id, 0))
    await stages.called.wait()
    psutil.Process(server.pid).suspend()
    await asyncio.sleep(1.5)  # longer than a command waits for its answer
    psutil.Process(server.pid).resume()
    await task
    assert (await store.load(due.evolution_id)).status == "succeeded"
    assert len(stages.generated) == len({effect.key for effect in stages.generated})
    await store.close()
    server.terminate()
    server.wait(10)


async def scripts_run(store: Store) -> int:
    return int((await store._redis.info("commandstats"))["cmdstat_evalsha"]["calls"])


async def test_one_script_renews_the_leases_of_every_round(store: Store) -> None:
    stages, dues = Stages(delay_s=30), [await accept(store) for _ in range(20)]
    worker = round_runner(store, stages, heartbeat_s=0.1, lease_s=0.4)
    tasks = [asyncio.ensure_future(worker.advance(due.evolution_id, 0)) for due in dues]
    while stages.in_flight < 20:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    before, began = await scripts_run(store), time.monotonic()
    while (run := await scripts_run(store) - before) < 6:  # noqa: ASYNC110
        await asyncio.sleep(0.1)
    assert run <= (time.monotonic() - began) / 0.1 + 2
    leases = [await shard_of(store, due).redis.pttl(shard_of(store, due).keys.lease(due.evolution_id)) for due in dues]
    assert all(0 < left <= 400 for left in leases)
    await shard_of(store, dues[3]).redis.set(shard_of(store, dues[3]).keys.lease(dues[3].evolution_id), "somebody else")
    await store.request_cancel(dues[5].evolution_id)
    await tasks[3]
    assert (await store.load(dues[3].evolution_id)).version == 0
    await tasks[5]
    assert (await store.load(dues[5].evolution_id)).status == "cancelled"
    assert not any(tasks[number].done() for number in range(20) if number not in (3, 5))
    worker.interrupt()
    others = [number for number in range(20) if number not in (3, 5)]
    await asyncio.gather(*(tasks[number] for number in others))
    records = [await store.load(dues[number].evolution_id) for number in others]
    assert [(record.version, record.status) for record in records] == [(1, "running")] * 18
    assert stages.in_flight == 0


@every_layout
async def test_a_round_that_comes_while_its_worker_stops_is_left_to_others(store: Store) -> None:
    due, stages = await accept(store), Stages(delay_s=30)
    worker = round_runner(store, stages)
    worker.interrupt()
    assert await advance(store, worker, due) == Due(due.evolution_id, 1)
    assert stages.in_flight == 0


@every_layout
async def test_an_evolution_is_running_from_the_moment_a_worker_takes_it(store: Store) -> None:
    due = await accept(store, replace(REQUEST, tenant=uuid.uuid4().hex))

    async def statuses() -> tuple[str, str]:
        record = await store.load(due.evolution_id)
        (summary,) = await store.listed(record.request.tenant, None, 9)
        return record.status, summary.status

    assert await statuses() == ("queued", "queued")
    assert await store.claim(due.evolution_id, 0, "somebody", 60)
    assert await statuses() == ("running", "running")
    await store.release(due.evolution_id, "somebody")
    assert await statuses() == ("queued", "queued")
    assert await store.claim(due.evolution_id, 0, "somebody who dies", 0.05)
    await asyncio.sleep(0.1)
    assert await statuses() == ("running", "running")
    await finish(store, round_runner(store, Stages()), due)
    assert await statuses() == ("succeeded", "succeeded")


@pytest.mark.parametrize(
    ("failing", "failure"),
    [("cancelled", "cancels of 1 rounds cannot be looked for"), ("renew", "leases of 1 rounds cannot be renewed")],
)
async def test_leases_are_renewed_after_whatever_error(
    failing: str, failure: str, store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    due, stages, works = await accept(store), Stages(delay_s=30), getattr(store, failing)

    async def fails(*_: object) -> None:
        raise ResponseError("WRONGTYPE Operation against a key holding the wrong kind of value")

    monkeypatch.setattr(store, failing, fails)
    monkeypatch.setattr(leases, "_LOOK_S", 0.02)
    worker = round_runner(store, stages, heartbeat_s=0.05, lease_s=0.6)
    task = asyncio.ensure_future(worker.advance(due.evolution_id, 0))
    await stages.called.wait()
    await asyncio.sleep(0.8)  # Longer than a lease that is not renewed.
    lease = shard_of(store, due).keys.lease(due.evolution_id)
    assert await shard_of(store, due).redis.exists(lease) == (failing != "renew")
    monkeypatch.setattr(store, failing, works)
    await asyncio.sleep(0.8)
    assert await shard_of(store, due).redis.exists(lease)
    worker.interrupt()
    await task
    assert (await store.load(due.evolution_id)).version == 1
    told = [record for record in caplog.records if record.name == "services.orchestrator.leases"]
    assert [record.getMessage() for record in told] == [f"{failure}; it is tried again"]
