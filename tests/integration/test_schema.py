"""Workers of two versions side by side: neither damages what it does not know, and every evolution ends right."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest

from services.orchestrator.adapters import packing, unpacking
from shared.records.events import Ended
from shared.records.evolution import Record
from shared.records.schema import UnknownSchema
from shared.store import layout
from shared.store.evolutions import Store
from shared.store.queue import QUEUE
from shared.store.redis_keys import RedisKeys
from tests.integration.stages import REQUEST, Due, Stages, accept, advance, finish, key, record_of, round_runner

OLD, NEW = (2, {2}), (3, {2, 3})
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
        monkeypatch.setattr(packing, "SCHEMA", version[0])
        monkeypatch.setattr(unpacking, "KNOWN", version[1])

    return become


Become = Callable[[tuple[int, set[int]]], None]


async def edit(store: Store, name: str, field: str, change: Callable[[dict[str, Any]], object]) -> None:
    """Changes the JSON in a field of a hash."""
    value = json.loads(await store._redis.hget(name, field))
    change(value)
    await store._redis.hset(name, field, json.dumps(value))


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
    await edit(store, key(of_request), "request", lambda request: request.update(haste=True))
    await edit(store, key(of_state, "state"), "head", lambda head: head.update(haste=True))
    for due in (of_request, replace(of_state, version=1)):
        assert await advance(store, round_runner(store, Stages()), due) is None
        assert (await store.load(due.evolution_id)).version == due.version  # whoever only shows it, can
        claim = await store._redis.hmget(key(due), "claims", "claimants")
        assert claim == ["0", ""]
    assert "haste" in await store._redis.hget(key(of_request), "request")
    assert "haste" in await store._redis.hget(key(of_state, "state"), "head")
    await edit(store, key(of_request), "request", lambda request: request.pop("haste"))
    await finish(store, round_runner(store, Stages()), of_request)
    assert (await store.load(of_request.evolution_id)).status == "succeeded"


async def test_what_no_worker_knows_ends_with_a_reason(store: Store) -> None:
    due = await accept(store)
    await edit(store, key(due), "request", lambda request: request.update(method="of-tomorrow"))
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


async def test_what_a_version_without_parts_accepted_stays_in_one_piece(store: Store) -> None:
    """So that gateways of that version, which are updated after the workers, can read it to its end."""
    record = await store.create(replace(record_of(REQUEST), whole=True))
    due, read = Due(record.id), list[Record]()
    worker = round_runner(store, Stages())
    while due is not None:
        due = await advance(store, worker, due)
        read.append(layout.RECORD.validate_json(await store._redis.hget(RedisKeys().record(record.id), "body")))
    assert len(read) == read[-1].version > 1
    assert all(isinstance(each.state, str) and each.request == REQUEST for each in read)
    assert (read[-1].status, read[-1].result is not None) == ("succeeded", True)
    assert replace(await store.load(record.id), whole=False) == read[-1]
    assert not await store._redis.exists(RedisKeys().state(record.id))


async def test_a_version_without_parts_leaves_what_is_in_parts_alone(store: Store) -> None:
    due = await accept(store)
    assert await advance(store, round_runner(store, Stages()), due)
    body = await store._redis.hget(key(due), "body")
    with pytest.raises(UnknownSchema):
        layout.parsed_to_change(layout.RECORD, body, "it")


async def test_a_request_is_written_once_and_parts_go_with_the_end(store: Store) -> None:
    asked = replace(REQUEST, search=replace(REQUEST.search, period=2))
    due: Due | None = await accept(store, asked)
    name = key(due)
    request = await store._redis.hget(name, "request")
    await store._redis.hset(name, "request", request + " ")  # which a second writing would undo
    stages, parts = Stages(), 0
    stages.world.end_probability = 0.0
    worker = round_runner(store, stages)
    while due is not None:
        assert await store._redis.hget(name, "request") == request + " "
        stored = await store._redis.hgetall(f"{name}:state")
        added = {field: value for field, value in stored.items() if field != "head"}
        assert len(added) >= parts
        parts = len(added)
        due = await advance(store, worker, due)
    assert parts > 1
    assert not await store._redis.exists(f"{name}:state")
    record = await store.load(name.removeprefix("darwin:evo:{").removesuffix("}"))
    assert (record.status, record.request, record.state) == ("succeeded", asked, None)
