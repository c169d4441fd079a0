"""Many who follow evolutions share a few connections, and none of them gets or holds more than it takes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace

import pytest
import redis.asyncio

from services.gateway.evolutions import following
from services.gateway.evolutions.following import Following
from shared.errors import Unavailable
from shared.records.events import Ended, Event, MutantAccepted
from shared.records.evolution import EvolutionRequest, Message, Record, Sampling
from shared.records.search import Search
from shared.store.evolutions import Store
from shared.store.redis_keys import RedisKeys

REQUEST = EvolutionRequest("darwin", (Message("user", "Why?"),), Sampling(9), Search(), 1, tenant="")


@pytest.fixture
async def store(idle_redis_url: str) -> AsyncIterator[Store]:
    store = Store(idle_redis_url, ttl_s=600, max_connections=200)
    yield store
    await store.close()


async def started(store: Store, evolution_id: str) -> Record:
    return await store.create(Record(evolution_id, 0, "queued", 1.0, REQUEST))


async def saved(store: Store, record: Record, *events: Event) -> Record:
    status = "succeeded" if isinstance(events[-1], Ended) else "running"
    record = replace(record, version=record.version + 1, status=status)
    await store.save(record, events)
    return record


def told(text: str) -> MutantAccepted:
    return MutantAccepted(1, 0, text, "o", "template")


async def types(follows: Following, evolution_id: str, after: str = "0") -> list[str]:
    return [event.parsed.type async for event in follows.events(evolution_id, after)]


async def blocked(url: str) -> int:
    async with redis.asyncio.Redis.from_url(url, decode_responses=True) as client:
        return int((await client.info("clients"))["blocked_clients"])


async def test_many_followers_block_few_connections(store: Store, idle_redis_url: str) -> None:
    follows, records = Following(store), [await started(store, f"evo_{number}") for number in range(120)]
    before = await blocked(idle_redis_url)
    followers = [asyncio.ensure_future(types(follows, record.id)) for record in records]
    # Several may follow the same evolution.
    followers += [asyncio.ensure_future(types(follows, records[0].id)) for _ in range(60)]
    await asyncio.sleep(0.5)
    assert await blocked(idle_redis_url) - before == follows.reads == 4
    for record in records:
        await saved(store, record, told('"evolution.ended"'))
        await saved(store, replace(record, version=1), Ended("succeeded"))
    found = await asyncio.wait_for(asyncio.gather(*followers), 20)
    assert found == [["evolution.accepted", "mutant.accepted", "evolution.ended"]] * 180
    await asyncio.sleep(0.1)
    assert follows.reads == 0


async def test_no_more_readers_than_there_may_be(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "_STREAMS_PER_READ", 2)
    monkeypatch.setattr(following, "MOST_READS", 3)
    follows, record = Following(store), await started(store, "evo_1")
    followers = [asyncio.ensure_future(types(follows, record.id)) for _ in range(12)]
    await asyncio.sleep(0.3)
    assert follows.reads == 3
    await saved(store, record, Ended("succeeded"))
    assert await asyncio.wait_for(asyncio.gather(*followers), 20) == [["evolution.accepted", "evolution.ended"]] * 12


async def test_a_slow_caller_holds_little_and_gets_all(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    read_events = Store.read_events

    async def counted(self: Store, *args: object, **options: object) -> object:
        found = await read_events(self, *args, **options)  # type: ignore[arg-type]
        read.append(sum(map(len, found.values())))
        return found

    monkeypatch.setattr(Store, "read_events", counted)
    follows, record = Following(store), await started(store, "evo_1")
    for number in range(10):
        record = await saved(store, record, *(told(f"{number} {index} {'x' * 20_000}") for index in range(10)))
    async with aclosing(follows.events(record.id)) as events:
        await anext(events)
        await asyncio.sleep(0.5)
        # 100 events of 20 kB are there; one read, and what it takes to be over 64 KiB, came.
        assert sum(read) <= 16
        texts = [event.parsed async for event in _until(events, 100)]
    assert [event.text[:4].split("x")[0].strip() for event in texts if isinstance(event, MutantAccepted)] == [
        f"{number} {index}" for number in range(10) for index in range(10)
    ]


async def _until(events: AsyncIterator[following.RawEvent], count: int) -> AsyncIterator[following.RawEvent]:
    for _ in range(count):
        yield await anext(events)


async def test_nobody_waits_for_an_end_that_was_told_before(store: Store) -> None:
    follows, record = Following(store), await started(store, "evo_1")
    await saved(store, record, Ended("succeeded"))
    (*_, last) = [event async for event in follows.events(record.id)]
    assert await asyncio.wait_for(types(follows, record.id, last.id), 1) == []
    assert await asyncio.wait_for(types(follows, "evo_gone"), 10) == []


async def test_who_is_ahead_of_another_gets_the_rest_of_what_has_ended(store: Store) -> None:
    follows, record = Following(store), await started(store, "evo_1")
    record = await saved(store, record, *(told(str(number)) for number in range(40)))
    await saved(store, record, Ended("succeeded"))
    every = [event.id async for event in follows.events(record.id)]
    found = await asyncio.gather(types(follows, record.id), types(follows, record.id, every[30]))
    assert list(map(len, found)) == [42, 11]


async def test_an_end_without_its_event_is_seen(store: Store, idle_redis_url: str) -> None:
    follows, record = Following(store), await started(store, "evo_1")
    waiting = asyncio.ensure_future(types(follows, record.id))
    await asyncio.sleep(0.2)
    async with redis.asyncio.Redis.from_url(idle_redis_url) as client:
        await client.zrem(RedisKeys().active, record.id)
    assert await asyncio.wait_for(waiting, 10) == ["evolution.accepted"]


async def test_whole_records_are_not_read(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    follows, record = Following(store), await started(store, "evo_1")
    monkeypatch.setattr(Store, "load", None)
    waiting = asyncio.ensure_future(types(follows, record.id))
    await asyncio.sleep(2.5)
    await saved(store, record, Ended("succeeded"))
    assert await waiting == ["evolution.accepted", "evolution.ended"]


async def test_says_that_redis_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "RETRY_FOR_S", -following.BLOCK_S)
    away = Store("redis://127.0.0.1:1/0", ttl_s=60)
    follows = Following(away)
    for _ in range(2):
        with pytest.raises(Unavailable):
            await types(follows, "evo_1")
    await away.close()
