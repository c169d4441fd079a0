"""The life of evolutions over a real Redis, with the other stages answered in memory."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest

from services.orchestrator.core.model import Generate, Generated, Mutate, Mutated, MutationEnded, Score, Scored
from services.orchestrator.evolving import Evolving, Next
from services.orchestrator.settings import OrchestratorSettings
from shared.errors import Conflict, DarwinError, Internal, InvalidRequest, NotFound, Unavailable
from shared.records import (
    Accepted,
    Ended,
    EvolutionRequest,
    Message,
    Record,
    RoundFinished,
    Sampling,
    Search,
)
from shared.store import Store
from tests.unit.orchestrator.strategies import World

REQUEST = EvolutionRequest("darwin", (Message("user", "Explain tides."),), Sampling(24), Search(period=6), seed=11)


class Stages:
    """All three ports; counts calls in flight, can be slow, can fail."""

    def __init__(self, delay_s: float = 0.0, failures: Sequence[DarwinError] = ()) -> None:
        self.world = World(5)
        self.delay_s = delay_s
        self.failures = list(failures)
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


async def accept(store: Store, request: EvolutionRequest = REQUEST) -> Next:
    record = Record(f"evo_{uuid.uuid4().hex}", 0, "queued", time.time(), request)
    await store.create(record)
    return Next(record.id, 0)


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
    await store._redis.set(f"darwin:evo:{{{due.evolution_id}}}:lease", "somebody else")
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


async def test_sweep_finds_what_nobody_holds(store: Store) -> None:
    due = await accept(store)
    worker = evolving(store, Stages(), stalled_s=0.2)
    assert due not in await worker.stalled()
    await asyncio.sleep(0.25)
    assert due in await worker.stalled()
    assert due not in await worker.stalled()
    await asyncio.sleep(0.25)
    await store.acquire(due.evolution_id, "somebody", 5)
    assert due not in await worker.stalled()


async def test_a_record_is_saved_over_its_own_version_only(store: Store) -> None:
    due = await accept(store)
    record = await store.load(due.evolution_id)
    await store.save(replace(record, version=1), ())
    with pytest.raises(Conflict):
        await store.save(replace(record, version=1), (Ended("failed"),))
    with pytest.raises(NotFound):
        await store.load("evo_none")
    assert len(await store.events(due.evolution_id)) == 1
