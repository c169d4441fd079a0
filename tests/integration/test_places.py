"""A worker's places, which hold evolutions until they end: who gets one, and what is done without."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

import pytest

from cli.stack.child import Child
from services.orchestrator.core.values import Generate, Generated
from services.orchestrator.pool import LoopThread
from services.orchestrator.round_runner import RoundRunner
from services.orchestrator.settings import OrchestratorSettings
from shared.errors import Overloaded
from shared.records.attempts import Attempt
from shared.records.events import Event
from shared.records.evolution import TERMINAL, EvolutionRequest, Record
from shared.records.search import Search
from shared.store.evolutions import Store
from shared.store.fair_queue import WINDOW
from shared.store.leases import DUE_AT_ONCE
from shared.store.queue import QUEUE
from tests.integration.celery_worker import working
from tests.integration.stages import REQUEST, Due, Stages, accept, key


@pytest.fixture
async def store(redis_url: str) -> AsyncIterator[Store]:
    """A database of its own, with an empty queue."""
    store = Store(redis_url.removesuffix("/0") + "/3", ttl_s=60)
    await store._redis.flushdb()
    yield store
    await store.close()


async def test_the_first_answers_come_before_most_of_the_work_is_done(store: Store, redis_url: str) -> None:
    saves: list[Record] = []

    async def note(record: Record, attempt: Attempt, events: Sequence[Event]) -> None:
        saves.append(record)

    async def built() -> tuple[Store, RoundRunner]:
        own, stages = Store(url, ttl_s=60), Stages(delay_s=0.02)
        return own, RoundRunner(own, stages, stages, stages, OrchestratorSettings(), [note])

    loop, url = LoopThread(), redis_url.removesuffix("/0") + "/3"
    own, runner = loop.run(built())
    longer = replace(REQUEST, search=replace(REQUEST.search, cycles=2))
    dues = [await accept(store, longer) for _ in range(12)]
    with working(url, runner.advance, loop):
        async with asyncio.timeout(60):
            while await store.active():  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    loop.run(own.close())
    loop.stop()
    ends = [number for number, record in enumerate(saves) if record.status in TERMINAL]
    assert len(ends) == len(dues)
    assert len(saves) >= 3 * len(dues)
    assert ends[0] < 0.4 * len(saves)
    assert ends[3] < 0.5 * len(saves)
    begun = [number for number, record in enumerate(saves) if record.version == 1]
    assert max(begun[:4]) < ends[0] < begun[4]  # what has begun goes on; the others wait for a place


class Full(Stages):
    """Stages of which generation takes two calls at a time."""

    async def generate(
        self, effects: Sequence[Generate], request: EvolutionRequest, timeout_s: float
    ) -> AsyncIterator[Generated]:
        if self.in_flight >= 2:
            raise Overloaded("full")
        async for outcome in super().generate(effects, request, timeout_s):
            yield outcome


async def test_a_worker_takes_no_more_than_its_stages_bear(store: Store, redis_url: str) -> None:
    async def built() -> tuple[Store, RoundRunner]:
        own, stages = Store(url, ttl_s=60), Full(delay_s=0.1)
        return own, RoundRunner(own, stages, stages, stages, OrchestratorSettings())

    loop, url = LoopThread(), redis_url.removesuffix("/0") + "/3"
    own, runner = loop.run(built())
    one_call = replace(REQUEST, method="sample", search=Search(cycles=0))
    dues = [await accept(store, one_call) for _ in range(50)]
    taken = []
    with working(url, runner.advance, loop, concurrency=20, has_room=runner.has_room):
        async with asyncio.timeout(60):
            while left := await store.active():
                held = await store._redis.exists(*(key(due, "lease") for due in dues))
                taken += [held] if 15 < left < 30 else []  # what is taken before a first refusal has ended
                await asyncio.sleep(0.02)
    loop.run(own.close())
    loop.stop()
    assert {(await store.load(due.evolution_id)).status for due in dues} == {"succeeded"}
    # While it looks for the next evolution the stage may fill, so that now and then it has taken some more.
    assert median(taken) <= 10


async def ended(store: Store, due: Due, since: float) -> tuple[str, float]:
    """The status with which an evolution ends, and for how many seconds from `since` it does not."""
    async with asyncio.timeout(30):
        while (record := await store.load(due.evolution_id)).status not in TERMINAL:  # noqa: ASYNC110  # polling is what followers do
            await asyncio.sleep(0.02)
    assert record.finished_at is not None
    return record.status, record.finished_at - since


async def test_deadlines_and_cancels_are_heard_while_every_place_is_taken(
    store: Store, redis_url: str, tmp_path: Path
) -> None:
    """The stages are away, so that the first evolution keeps the one place; SIGTERM has it handed back."""
    nowhere = {f"DARWIN_ORCHESTRATOR_{stage}": "127.0.0.1:9" for stage in ("MUTATION", "GENERATION", "REWARD")}
    settings = {"CONCURRENCY": "1", "REDIS_URL": redis_url.removesuffix("/0") + "/3"}
    env = nowhere | {f"DARWIN_ORCHESTRATOR_{name}": value for name, value in settings.items()}
    first = await accept(store)
    env |= {"DARWIN_DRAIN_SECONDS": "0.2", "DARWIN_REDIS_URL": settings["REDIS_URL"]}
    child = Child("orchestrator", [sys.executable, "-m", "services.orchestrator"], tmp_path, env)
    try:
        async with asyncio.timeout(60):
            while not await store._redis.exists(key(first, "lease")):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        late = await accept(store, replace(REQUEST, search=Search(deadline_ms=1000)))
        deadline = (await store.load(late.evolution_id)).deadline
        cancelled = [await accept(store) for _ in range(2 * DUE_AT_ONCE)]
        queued, asked = await accept(store), time.time()
        await asyncio.gather(*(store.request_cancel(due.evolution_id) for due in cancelled))
        ends = [await ended(store, due, asked) for due in cancelled]
        assert {status for status, _ in ends} == {"cancelled"}
        assert max(seconds for _, seconds in ends) < 10
        assert await store._redis.llen(QUEUE) <= WINDOW
        assert deadline is not None
        status, seconds = await ended(store, late, deadline)
        assert status == "failed"
        assert 0 <= seconds < 10
        assert (await store.load(first.evolution_id)).status == "running"
        assert (await store.load(queued.evolution_id)).status == "queued"
    finally:
        child.terminate()
        code = child.wait(20)
    assert code == 0, child.log.read_text()[-2000:]
    assert not await store._redis.exists(key(first, "lease"))
    assert (await store.load(first.evolution_id)).version == 1
