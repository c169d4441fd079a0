"""Workers of two versions side by side: neither damages what it does not know, and every evolution ends right."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest

from services.orchestrator.adapters import codec
from shared.records.events import Ended
from shared.store.evolutions import Store
from shared.store.queue import QUEUE
from tests.integration.stages import Due, Stages, accept, advance, finish, key, round_runner

OLD, NEW = (1, {1}), (2, {1, 2})
"""The schema that a version writes, and those that it reads."""


@pytest.fixture
async def store(redis_url: str) -> AsyncIterator[Store]:
    """A database of its own, with an empty queue."""
    store = Store(redis_url.removesuffix("/0") + "/4", ttl_s=60)
    await store._redis.flushdb()
    yield store
    await store.close()


@pytest.fixture
def become(monkeypatch: pytest.MonkeyPatch) -> Callable[[tuple[int, set[int]]], None]:
    """Makes the workers of this process those of a version."""

    def become(version: tuple[int, set[int]]) -> None:
        monkeypatch.setattr(codec, "SCHEMA", version[0])
        monkeypatch.setattr(codec, "KNOWN", version[1])

    return become


Become = Callable[[tuple[int, set[int]]], None]


async def edit(store: Store, due: Due, change: Callable[[dict[str, Any]], None]) -> None:
    body = json.loads(await store._redis.hget(key(due), "body"))
    change(body)
    await store._redis.hset(key(due), "body", json.dumps(body))


async def test_old_and_new_workers_side_by_side(store: Store, become: Become) -> None:
    dues = [await accept(store) for _ in range(8)]
    draw, refused = random.Random(3), 0
    async with asyncio.timeout(120):
        while await store.active():
            if not (raw := await store._redis.rpop(QUEUE)):
                await store.resend_stalled(0.05)
                await asyncio.sleep(0.05)
                continue
            (evolution_id, version), _, _ = json.loads(json.loads(raw)["body"])
            become(draw.choice((OLD, NEW)))
            await advance(store, round_runner(store, Stages(), stalled_s=0.05), Due(evolution_id, version))
            refused += await store._redis.hexists(key(Due(evolution_id)), "refused_at")
    assert refused > 0
    for due in dues:
        record = await store.load(due.evolution_id)
        attempts = await store.attempts(due.evolution_id)
        assert (record.status, record.result and record.result.rounds) == ("succeeded", record.version)
        assert [(attempt.version, attempt.error, attempt.lost) for attempt in attempts] == [
            (number, None, ()) for number in range(1, record.version + 1)
        ]


async def test_a_worker_leaves_alone_what_it_does_not_know(store: Store, become: Become) -> None:
    due = await accept(store)
    become(NEW)
    following = await advance(store, round_runner(store, Stages()), due)
    assert following == Due(due.evolution_id, 1)
    before = await store._redis.hget(key(due), "body")
    await store._redis.delete(QUEUE)
    become(OLD)
    worker = round_runner(store, stages := Stages(), stalled_s=0.2)
    for _ in range(3):
        assert await advance(store, worker, following) is None
    assert (stages.generated, await store._redis.hget(key(due), "body")) == ([], before)
    since, until, again = [
        float(at)
        for at in (
            *await store._redis.hmget(key(due), "refused_at", "not_before"),
            await store._redis.zscore("darwin:active", due.evolution_id),
        )
    ]
    assert since + 1 <= until == pytest.approx(again + 0.2)
    assert await store._redis.llen(QUEUE) == 0
    async with asyncio.timeout(30):
        while not (sent := await store.resend_stalled(0.2)):  # noqa: ASYNC110  # polling is what sweeps do
            await asyncio.sleep(0.05)
    assert [found.version for found in sent] == [1]
    await store.request_cancel(due.evolution_id)
    become(NEW)
    await round_runner(store, Stages()).conclude(due.evolution_id, 1)
    record = await store.load(due.evolution_id)
    assert (record.status, record.attempts, len(await store.attempts(due.evolution_id))) == ("cancelled", 0, 2)


async def test_a_field_that_is_new_is_not_dropped(store: Store) -> None:
    of_request, of_state = await accept(store), await accept(store)
    assert await advance(store, round_runner(store, Stages()), of_state)
    await edit(store, of_request, lambda body: body["request"].update(haste=True))

    def added(body: dict[str, Any]) -> None:
        body["state"] = json.dumps(json.loads(body["state"]) | {"haste": True})

    await edit(store, of_state, added)
    for due in (of_request, replace(of_state, version=1)):
        assert await advance(store, round_runner(store, Stages()), due) is None
        assert (await store.load(due.evolution_id)).version == due.version  # whoever only shows it, can
        claim = await store._redis.hmget(key(due), "claims", "claimants")
        assert claim == ["0", ""]
        assert "haste" in await store._redis.hget(key(due), "body")
    await edit(store, of_request, lambda body: body["request"].pop("haste"))
    await finish(store, round_runner(store, Stages()), of_request)
    assert (await store.load(of_request.evolution_id)).status == "succeeded"


async def test_what_no_worker_knows_ends_with_a_reason(store: Store) -> None:
    due = await accept(store)
    await edit(store, due, lambda body: body["request"].update(method="of-tomorrow"))
    worker = round_runner(store, Stages(), schema_patience_s=0.1)
    await worker.advance(due.evolution_id, 0)
    assert await store.active() == 1
    await asyncio.sleep(0.2)
    await worker.advance(due.evolution_id, 0)
    assert await store.active() == 0
    last = (await store.events(due.evolution_id))[-1].event
    assert isinstance(last, Ended)
    assert last.error is not None
    assert "another version" in last.error.message


@pytest.mark.parametrize("body", ['{"id": 1', "{}", "[]"])
async def test_what_is_broken_ends_at_once(store: Store, body: str) -> None:
    due = await accept(store)
    await store._redis.hset(key(due), "body", body)
    await round_runner(store, Stages()).advance(due.evolution_id, 0)
    assert await store.active() == 0
