"""What is sent to workers, when, and that Celery reads it."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from shared.errors import Conflict, Unavailable
from shared.store.evolutions import Store
from shared.store.queue import QUEUE, message
from tests.integration.celery_worker import working
from tests.integration.stages import REQUEST, Due, Stages, advance, record_of, round_runner


@pytest.fixture
async def store(redis_url: str) -> AsyncIterator[Store]:
    """A database with an empty queue."""
    store = Store(redis_url.removesuffix("/0") + "/6", ttl_s=60)
    await store._redis.flushdb()
    yield store
    await store.close()


async def sent(store: Store) -> list[list[Any]]:
    """What the queue holds, oldest first; empties it."""
    found = [json.loads(raw) for raw in reversed(await store._redis.lrange(QUEUE, 0, -1))]
    await store._redis.delete(QUEUE)
    return [json.loads(one["body"])[0] for one in found]


async def test_what_is_accepted_is_sent_once(store: Store) -> None:
    record = record_of(REQUEST)
    await store.create(record)
    await store.create(record)
    assert await sent(store) == [[record.id, 0]]


async def test_what_is_saved_is_sent_with_it_and_only_then(store: Store) -> None:
    record = record_of(REQUEST)
    await store.create(record)
    await sent(store)
    following = replace(record, version=1)
    await store.save(following, ())
    await store.save(following, ())  # as a client does that got no answer
    assert await sent(store) == [[record.id, 1]]
    with pytest.raises(Conflict):
        await store.save(replace(record, version=1, status="running"), ())
    await store.save(replace(record, version=2, status="succeeded"), ())
    assert await sent(store) == []


@pytest.mark.usefixtures("no_retries")
async def test_each_round_asks_for_the_next_and_a_failed_one_later(store: Store) -> None:
    record = record_of(REQUEST)
    await store.create(record)
    due: Due | None = Due(record.id)
    worker = round_runner(store, Stages(failures=[Unavailable("away")]))
    assert await sent(store) == [[record.id, 0]]
    again = await advance(store, worker, due)
    assert again is not None
    eta = json.loads(await store._redis.lindex(QUEUE, 0))["headers"]["eta"]
    assert eta is not None
    due = again
    while due is not None:
        assert await sent(store) == [[record.id, due.version]]
        due = await advance(store, worker, due)
    assert await sent(store) == []


async def test_a_round_given_up_is_sent_to_others(store: Store) -> None:
    record = record_of(REQUEST)
    await store.create(record)
    await sent(store)
    worker = round_runner(store, Stages(delay_s=30))
    worker.interrupt()
    await worker.advance(record.id, 0)
    assert await sent(store) == [[record.id, 1]]


async def test_celery_performs_what_is_sent_each_at_its_time(store: Store, redis_url: str) -> None:
    done, running, most = dict[int, float](), set[int](), 0

    async def perform(evolution_id: str, version: int) -> None:
        nonlocal most
        assert evolution_id == "evo_1"
        running.add(version)
        most = max(most, len(running))
        await asyncio.sleep(0.2)
        running.remove(version)
        done[version] = time.time()
        if version == 1:
            raise RuntimeError("a round that fails unexpectedly")

    began = time.time()
    for version in range(10):
        await store._redis.lpush(QUEUE, message("evo_1", version, delay_s=3.0 if version == 5 else 0.0))
    with working(redis_url.removesuffix("/0") + "/6", perform):
        while len(done) < 10:
            assert time.time() - began < 60
            await asyncio.sleep(0.05)
    assert most == 4
    assert done[5] - began > 3
    assert done[5] == max(done.values())
    assert await store._redis.keys("unacked*") == []
