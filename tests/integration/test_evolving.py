"""The life of evolutions over a real Redis, with the other stages answered in memory."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from cli.stack.redis_server import start_redis
from services.orchestrator.core.model import Generate, Generated, Mutate, Mutated, MutationEnded, Score, Scored
from services.orchestrator.evolving import Evolving, Next
from services.orchestrator.settings import OrchestratorSettings
from shared.errors import Conflict, DarwinError, Internal, InvalidRequest, NotFound, Overloaded, Unavailable
from shared.records import (
    Accepted,
    Ended,
    EvolutionRequest,
    Idempotency,
    Message,
    Record,
    RoundFinished,
    Sampling,
    Search,
)
from shared.store import Limits, Store
from tests.unit.orchestrator.strategies import World

REQUEST = EvolutionRequest("darwin", (Message("user", "Explain tides."),), Sampling(24), Search(period=6), seed=11)


class Stages:
    """All three ports; counts calls in flight, can be slow, can fail."""

    def __init__(
        self,
        delay_s: float = 0.0,
        failures: Sequence[DarwinError] = (),
        scoring_failures: Sequence[DarwinError] = (),
    ) -> None:
        self.world = World(5)
        self.delay_s = delay_s
        self.failures = list(failures)
        self.scoring_failures = list(scoring_failures)
        self.in_flight = 0
        self.called = asyncio.Event()
        self.generated: list[Generate] = []

    async def mutate(
        self, effect: Mutate, request: EvolutionRequest, timeout_s: float
    ) -> AsyncIterator[Mutated | MutationEnded]:
        for outcome in self.world.perform(effect):
            yield outcome  # type: ignore[misc]

    async def generate(
        self, effects: Sequence[Generate], request: EvolutionRequest, timeout_s: float
    ) -> AsyncIterator[Generated]:
        self.in_flight += 1
        self.called.set()
        try:
            if self.failures:
                raise self.failures.pop(0)
            await asyncio.sleep(self.delay_s)
            for effect in effects:
                self.generated.append(effect)
                for outcome in self.world.perform(effect):
                    yield outcome  # type: ignore[misc]
        finally:
            self.in_flight -= 1

    async def score(
        self, effects: Sequence[Score], request: EvolutionRequest, timeout_s: float
    ) -> AsyncIterator[Scored]:
        if self.scoring_failures:
            raise self.scoring_failures.pop(0)
        for effect in effects:
            for outcome in self.world.perform(effect):
                yield outcome  # type: ignore[misc]


@pytest.fixture
async def store(redis_url: str) -> AsyncIterator[Store]:
    store = Store(redis_url, ttl_s=60)
    yield store
    await store.close()


def evolving(store: Store, stages: Stages, **settings: float) -> Evolving:
    return Evolving(store, stages, stages, stages, OrchestratorSettings(**settings))  # type: ignore[arg-type]


def record_of(request: EvolutionRequest) -> Record:
    return Record(f"evo_{uuid.uuid4().hex}", 0, "queued", time.time(), request)


async def accept(store: Store, request: EvolutionRequest = REQUEST) -> Next:
    record = await store.create(record_of(request))
    return Next(record.id, 0)


def key(due: Next, part: str = "") -> str:
    return f"darwin:evo:{{{due.evolution_id}}}" + (f":{part}" if part else "")


async def finish(worker: Evolving, due: Next | None) -> None:
    while due is not None:
        due = await worker.advance(due.evolution_id, due.version)


async def test_one_task_is_one_round_and_the_end_has_an_answer(store: Store) -> None:
    due: Next | None = await accept(store)
    assert due is not None
    evolution_id, worker, tasks = due.evolution_id, evolving(store, Stages()), 0
    while due is not None:
        tasks += 1
        due = await worker.advance(evolution_id, due.version)
    record = await store.load(evolution_id)
    assert record.status == "succeeded"
    assert record.version == tasks
    assert record.result is not None
    assert record.result.choices[0].reward == max(c.reward for c in record.result.choices if c.reward is not None)
    events = [stored.event for stored in await store.events(evolution_id)]
    assert isinstance(events[0], Accepted)
    assert events[-1] == Ended("succeeded")
    assert sum(isinstance(event, RoundFinished) for event in events) == record.result.rounds == tasks


async def test_doubled_stale_and_unknown_messages_do_nothing(store: Store) -> None:
    due = await accept(store)
    worker, stages = evolving(store, stages := Stages()), stages
    following = await worker.advance(due.evolution_id, 0)
    calls = len(stages.generated)
    assert await worker.advance(due.evolution_id, 0) is None
    assert await worker.advance("evo_unknown", 0) is None
    assert len(stages.generated) == calls
    await finish(worker, following)
    events = [stored.event for stored in await store.events(due.evolution_id)]
    assert len(events) == len(set(map(repr, events)))


async def test_two_workers_at_once_perform_a_round_once(store: Store) -> None:
    due, stages = await accept(store), Stages(delay_s=0.1)
    workers = [evolving(store, stages), evolving(store, stages)]
    results = await asyncio.gather(*(worker.advance(due.evolution_id, 0) for worker in workers))
    assert sorted(result is None for result in results) == [False, True]


async def test_a_worker_that_lost_its_lease_saves_nothing(store: Store) -> None:
    due, stages = await accept(store), Stages(delay_s=5)
    task = asyncio.ensure_future(evolving(store, stages, heartbeat_s=0.05).advance(due.evolution_id, 0))
    await stages.called.wait()
    await store._redis.set(key(due, "lease"), "somebody else")
    assert await task is None
    assert stages.in_flight == 0
    assert (await store.load(due.evolution_id)).version == 0


async def test_cancel_stops_calls_and_ends_the_evolution(store: Store) -> None:
    due, stages = await accept(store), Stages(delay_s=30)
    task = asyncio.ensure_future(evolving(store, stages, heartbeat_s=0.05).advance(due.evolution_id, 0))
    await stages.called.wait()
    await store.request_cancel(due.evolution_id)
    started = time.monotonic()
    assert await task is None
    assert time.monotonic() - started < 1
    assert stages.in_flight == 0
    assert (await store.load(due.evolution_id)).status == "cancelled"


async def test_a_deadline_answers_with_the_best_so_far(store: Store) -> None:
    stages = Stages(delay_s=0.15)
    request = replace(REQUEST, search=Search(period=1, deadline_ms=500), sampling=Sampling(500))
    stages.world.end_probability = 0.0
    due = await accept(store, request)
    await finish(evolving(store, stages), due)
    record = await store.load(due.evolution_id)
    assert record.status == "succeeded"
    assert record.result is not None
    assert record.result.stopped_by == "deadline_ms"
    assert record.result.choices[0].finish_reason == "length"
    assert record.result.seconds.total < 3


async def test_a_deadline_without_any_response_is_a_clear_failure(store: Store) -> None:
    due = await accept(store, replace(REQUEST, search=Search(deadline_ms=100)))
    await finish(evolving(store, Stages(delay_s=5)), due)
    record = await store.load(due.evolution_id)
    assert record.status == "failed"
    assert record.error is not None
    assert record.error.code == "DeadlineExceeded"


async def test_a_passing_failure_is_tried_again_and_costs_nothing(store: Store) -> None:
    due = await accept(store)
    worker = evolving(store, Stages(failures=[Unavailable("generation is away"), Internal("odd")]))
    again = await worker.advance(due.evolution_id, 0)
    assert again is not None
    assert again.delay_s > 0
    await finish(worker, again)
    assert (await store.load(due.evolution_id)).status == "succeeded"


async def test_what_a_round_found_before_it_failed_is_kept(store: Store) -> None:
    due, stages = await accept(store), Stages(scoring_failures=[Unavailable("reward is away")])
    worker = evolving(store, stages)
    again = await worker.advance(due.evolution_id, 0)
    assert again is not None
    await finish(worker, again)
    assert (await store.load(due.evolution_id)).status == "succeeded"
    assert len({effect.key for effect in stages.generated}) == len(stages.generated)
    events = [repr(stored.event) for stored in await store.events(due.evolution_id)]
    assert len(events) == len(set(events))


@pytest.mark.parametrize(
    ("error", "attempts"), [(InvalidRequest("too long", field="messages"), 1), (Unavailable("away"), 3)]
)
async def test_a_failure_that_stays_ends_the_evolution(store: Store, error: DarwinError, attempts: int) -> None:
    due, stages = await accept(store), Stages(failures=[error] * 99)
    await finish(evolving(store, stages, max_attempts=3), due)
    record = await store.load(due.evolution_id)
    assert record.status == "failed"
    assert record.error is not None
    assert (record.error.code, record.error.message, record.error.field) == (
        type(error).__name__,
        error.message,
        error.field,
    )
    assert 99 - len(stages.failures) == attempts


async def test_retries_stop_at_the_deadline(store: Store) -> None:
    due = await accept(store, replace(REQUEST, search=Search(deadline_ms=600)))
    worker, began = evolving(store, Stages(failures=[Unavailable("away")] * 99), max_attempts=50), time.monotonic()
    following: Next | None = due
    while following is not None:
        await asyncio.sleep(following.delay_s)
        following = await worker.advance(due.evolution_id, following.version)
    assert time.monotonic() - began < 1.5
    record = await store.load(due.evolution_id)
    assert (record.status, record.error and record.error.code) == ("failed", "DeadlineExceeded")


async def test_sweep_finds_what_nobody_holds_less_and_less_often(store: Store) -> None:
    due = await accept(store)
    worker = evolving(store, Stages(), stalled_s=0.2)
    assert due not in await worker.stalled()
    told = []
    began = time.monotonic()
    while time.monotonic() - began < 2:
        if due in await worker.stalled():
            told.append(time.monotonic() - began)
        await asyncio.sleep(0.02)
    assert 3 <= len(told) <= 4
    assert told[-1] - told[-2] > 2 * (told[1] - told[0])


async def test_sweep_leaves_what_is_held_and_finds_it_when_its_holder_is_gone(store: Store) -> None:
    due = await accept(store)
    worker = evolving(store, Stages(), stalled_s=0.05)
    assert await store.claim(due.evolution_id, 0, "somebody", 0.6)
    await asyncio.sleep(0.1)
    began = time.monotonic()
    while due not in await worker.stalled():  # noqa: ASYNC110  # polling is what sweeps do
        await asyncio.sleep(0.02)
    assert 0.3 < time.monotonic() - began < 0.8


async def test_workers_that_die_over_one_round_end_the_evolution(store: Store) -> None:
    due = await accept(store)
    for death in range(3):
        claim = await store.claim(due.evolution_id, 0, f"worker {death}", 10)
        assert claim is not None
        assert claim.deaths == death
        await store._redis.delete(key(due, "lease"))
    assert await evolving(store, Stages(), max_deaths=3).advance(due.evolution_id, 0) is None
    record = await store.load(due.evolution_id)
    assert record.status == "failed"
    assert record.error is not None
    assert "3 workers ended" in record.error.message


async def test_an_interrupted_round_is_left_to_others_at_once(store: Store) -> None:
    due, stages = await accept(store), Stages(delay_s=30)
    worker = evolving(store, stages, heartbeat_s=0.05)
    task = asyncio.ensure_future(worker.advance(due.evolution_id, 0))
    await stages.called.wait()
    worker.interrupt()
    assert await task == Next(due.evolution_id, 1)
    assert stages.in_flight == 0
    claim = await store.claim(due.evolution_id, 1, "another", 10)
    assert claim is not None
    assert claim.deaths == 0


async def test_a_lease_that_ran_out_unnoticed_is_taken_again(store: Store) -> None:
    due, stages = await accept(store), Stages(delay_s=0.5)
    task = asyncio.ensure_future(evolving(store, stages, heartbeat_s=0.1).advance(due.evolution_id, 0))
    await stages.called.wait()
    await store._redis.delete(key(due, "lease"))
    following = await task
    assert following is not None
    assert following.version == 1


async def test_a_finished_round_waits_for_redis(redis_url: str, tmp_path: Path) -> None:
    server, url = start_redis(tmp_path)
    store = Store(url, ttl_s=60)
    due, stages = await accept(store), Stages(delay_s=0.3)
    task = asyncio.ensure_future(evolving(store, stages, heartbeat_s=0.1).advance(due.evolution_id, 0))
    await stages.called.wait()
    psutil.Process(server.pid).suspend()
    await asyncio.sleep(7)  # longer than a command waits for its answer
    psutil.Process(server.pid).resume()
    following = await task
    assert following is not None
    assert following.version == 1
    assert len(stages.generated) == len({effect.key for effect in stages.generated})
    await store.close()
    server.terminate()
    server.wait(10)


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
