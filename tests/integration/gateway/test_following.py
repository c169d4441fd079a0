"""Many who follow evolutions share a few connections, and none of them gets or holds more than it takes."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace

import pytest
import redis.asyncio

from services.gateway.edge.search_times import SearchTimes
from services.gateway.evolutions import following
from services.gateway.evolutions.following import Following
from services.gateway.evolutions.service import EvolutionService
from shared.errors import Unavailable
from shared.records.events import Ended, Event, MutantAccepted, RoundFinished
from shared.records.evolution import EvolutionRequest, Message, Record, Sampling
from shared.records.search import Search
from shared.records.telling import Told
from shared.store.evolutions import Store
from shared.store.kept_events import RawEvents, position_numbers
from shared.store.redis_keys import RedisKeys
from tests.integration import stages
from tests.integration.stages import Stages, accept, finish, round_runner

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
    told = Told()
    entries = [entry async for entry in follows.events(evolution_id, after)]
    return [stored.event.type for entry in entries for stored in entry.whole(told, after)]


async def blocked(url: str) -> int:
    """Connections that wait for an event, in the database of the URL only: in others somebody else may."""
    database = url.rpartition("/")[2]
    async with redis.asyncio.Redis.from_url(url, decode_responses=True) as client:
        return sum(each["db"] == database and "b" in each["flags"] for each in await client.client_list())


async def come_to(count: int, follows: Following) -> None:
    """Waits until there are so many readers, and as long again as one more would take."""
    for _ in range(400):
        if follows.reads == count:
            break
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.3)
    assert follows.reads == count


async def test_many_followers_block_few_connections(store: Store, idle_redis_url: str) -> None:
    follows, records = Following(store), [await started(store, f"evo_{number}") for number in range(120)]
    followers = [asyncio.ensure_future(types(follows, record.id)) for record in records]
    # Several may follow the same evolution.
    followers += [asyncio.ensure_future(types(follows, records[0].id)) for _ in range(60)]
    await come_to(4, follows)
    assert await blocked(idle_redis_url) == 4
    for record in records:
        await saved(store, record, told('"evolution.ended"'))
        await saved(store, replace(record, version=1), Ended("succeeded"))
    found = await asyncio.wait_for(asyncio.gather(*followers), 20)
    assert found == [["evolution.accepted", "mutant.accepted", "evolution.ended"]] * 180
    await come_to(0, follows)


async def test_no_more_readers_than_there_may_be(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "_STREAMS_PER_READ", 2)
    monkeypatch.setattr(following, "MOST_READS", 3)
    follows, record = Following(store), await started(store, "evo_1")
    followers = [asyncio.ensure_future(types(follows, record.id)) for _ in range(12)]
    await come_to(3, follows)
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
    for number in range(100):
        record = await saved(store, record, told(f"{number} {'x' * 20_000}"))
    async with aclosing(follows.events(record.id)) as events:
        await anext(events)
        await asyncio.sleep(0.5)
        # 100 events of 20 kB are there; one read, and what it takes to be over 64 KiB, came.
        assert sum(read) <= 16
        texts = [json.loads(event.text)["text"] async for event in _until(events, 100)]
    assert [text.split()[0] for text in texts] == [str(number) for number in range(100)]


async def _until(events: AsyncIterator[RawEvents], count: int) -> AsyncIterator[RawEvents]:
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
    every = [stored.id for stored in await store.events(record.id)]
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


async def test_who_comes_back_reads_whole_events_from_where_it_was(store: Store) -> None:
    request = replace(stages.REQUEST, search=Search(cycles=2, period=2))
    due, evolutions = await accept(store, request), EvolutionService(store, SearchTimes())
    await finish(store, round_runner(store, Stages()), due)
    every = [stored async for stored in evolutions.follow(due.evolution_id)]
    assert every == await store.events(due.evolution_id)
    assert [stored.event for stored in every] == (await store.history(due.evolution_id))[1]
    rounds = [stored.event for stored in every if isinstance(stored.event, RoundFinished)]
    assert {event.cycle for event in rounds} == {1, 2}
    assert max(event.round for event in rounds) > 2
    for number, stored in enumerate(every, 1):
        assert [later async for later in evolutions.follow(due.evolution_id, stored.id)] == every[number:]
    entries = (await store.read_events({due.evolution_id: "0"}, 1_000))[due.evolution_id]
    assert {entry.several for entry in entries} == {True, False}
    kept = [json.loads(entry.text) for entry in entries if not entry.several]
    assert all(each["kept"] for each in kept if each.get("round", 1) > 1), "what was told before is not kept again"
    assert any(each.get("round", 1) > 1 for each in kept)


async def test_saves_of_one_moment_have_positions_in_order(store: Store) -> None:
    """A clock that went back has what follows stand behind what is there."""
    record = await started(store, "evo_1")
    key = RedisKeys().events(record.id)
    await store._redis.xadd(key, {"event": json.dumps({"type": "evolution.accepted", "method": "darwin"})}, id="9" * 14)
    for number in range(3):
        record = await saved(store, record, *(told(f"{number} {index}") for index in range(3)))
    found = await store.events(record.id)
    places = [position_numbers(stored.id) for stored in found]
    assert places == sorted(set(places))
    assert [stored.event.text for stored in found if isinstance(stored.event, MutantAccepted)] == [
        f"{number} {index}" for number in range(3) for index in range(3)
    ]


async def test_says_that_redis_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "RETRY_FOR_S", -following.BLOCK_S)
    away = Store("redis://127.0.0.1:1/0", ttl_s=60)
    follows = Following(away)
    for _ in range(2):
        with pytest.raises(Unavailable):
            await types(follows, "evo_1")
    await away.close()
