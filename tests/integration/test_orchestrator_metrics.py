"""What a worker counts of evolutions as it saves them, and of the queue."""

import asyncio
from dataclasses import replace

import pytest

from shared.errors import DarwinError, NotFound, Overloaded, Unavailable
from shared.records.attempts import LostAttempt
from shared.records.evolution import Sampling, SavedState
from shared.records.summary import summary_of
from shared.store.evolutions import Store
from shared.store.fair_queue import WINDOW
from shared.store.queue import QUEUE, Backlog
from tests.integration.stages import REQUEST, Stages, accept, finish, key, round_runner
from tests.metrics import Measured


async def test_an_answer_is_counted_with_what_it_took(store: Store) -> None:
    request = replace(REQUEST, tenant="acme")
    due = await accept(store, request)
    with Measured() as measured:
        await finish(store, round_runner(store, Stages()), due)
    record = await store.load(due.evolution_id)
    result, summary = record.result, summary_of(record)
    assert result is not None
    assert summary.gain is not None
    assert measured.of("darwin.evolutions") == 1
    assert measured.of("darwin.evolutions", outcome="succeeded", method="darwin", tenant="acme") == 1
    assert measured.of("darwin.evolution.duration", method="darwin") == pytest.approx(result.seconds.total)
    assert measured.of("darwin.rounds", method="darwin") == result.rounds > 1
    assert measured.of("darwin.round.duration.count", method="darwin") == result.rounds
    for kind in ("prompt", "mutation", "kept", "discarded", "reward", "cached"):
        assert measured.of("darwin.tokens", kind=kind, tenant="acme") == getattr(result.tokens, kind)
    assert result.tokens.discarded > 0
    assert measured.of("darwin.reward.gain", method="darwin", profile="default") == pytest.approx(summary.gain)
    chat = {"gen_ai__operation__name": "chat", "gen_ai__request__model": "darwin"}
    assert measured.of("gen_ai.client.operation.duration.count", **chat) == 1
    assert measured.of("gen_ai.client.token.usage", gen_ai__token__type="input") == result.tokens.prompt
    assert measured.of("gen_ai.client.token.usage", gen_ai__token__type="output") == result.choices[0].completion_tokens


@pytest.mark.usefixtures("no_retries")
@pytest.mark.parametrize(("failure", "attempts"), [(NotFound("no such profile"), 1), (Unavailable("away"), 2)])
async def test_failures_are_counted_by_their_error(store: Store, failure: DarwinError, attempts: int) -> None:
    due = await accept(store, replace(REQUEST, profile="made-up"))
    stages, name = Stages(scoring_failures=[failure] * 9), type(failure).__name__
    with Measured() as measured:
        await finish(store, round_runner(store, stages, max_attempts=2), due)
    assert measured.of("darwin.evolutions", outcome="failed" if attempts == 1 else "succeeded", error__type=name) == 1
    assert measured.of("darwin.attempts.failed", error__type=name) == attempts
    assert measured.of("darwin.reward.gain.count") == 0
    assert measured.of("darwin.tokens", kind="discarded") > 0


async def test_calls_that_are_made_again_are_counted_by_stage_and_error(store: Store) -> None:
    stages = Stages(failures=[Overloaded("full")], scoring_failures=[Unavailable("away")])
    with Measured() as measured:
        await finish(store, round_runner(store, stages), await accept(store))
    assert measured.of("darwin.stage.retries", stage="generation", error__type="Overloaded") == 1
    assert measured.of("darwin.stage.retries", stage="reward", error__type="Unavailable") == 1
    assert measured.of("darwin.attempts.failed") == 0


async def test_a_cancelled_evolution_is_no_answer(store: Store) -> None:
    due, stages = await accept(store), Stages(delay_s=30)
    with Measured() as measured:
        task = asyncio.ensure_future(round_runner(store, stages, heartbeat_s=0.05).advance(due.evolution_id, 0))
        await stages.called.wait()
        await store.request_cancel(due.evolution_id)
        await task
    assert measured.of("darwin.evolutions", outcome="cancelled") == 1
    assert measured.of("gen_ai.client.operation.duration.count") == 0


async def test_a_round_under_way_is_active(store: Store) -> None:
    due, stages = await accept(store, replace(REQUEST, sampling=Sampling(4))), Stages(delay_s=0.3)
    with Measured() as measured:
        task = asyncio.ensure_future(round_runner(store, stages).advance(due.evolution_id, 0))
        await stages.called.wait()
    assert measured.of("darwin.rounds.active") == 1
    with Measured() as measured:
        await task
    assert measured.of("darwin.rounds.active") == -1


async def test_a_lost_lease_and_a_lost_worker_are_counted(store: Store) -> None:
    due, stages = await accept(store), Stages(delay_s=5)
    with Measured() as measured:
        task = asyncio.ensure_future(round_runner(store, stages, heartbeat_s=0.05).advance(due.evolution_id, 0))
        await stages.called.wait()
        await store._redis.set(key(due, "lease"), "somebody else")
        await task
    assert measured.of("darwin.leases.lost") == 1
    await store._redis.delete(key(due, "lease"))
    with Measured() as measured:
        await round_runner(store, Stages()).advance(due.evolution_id, 0)
    attempts = await store.attempts(due.evolution_id)
    assert [[type(lost) for lost in attempt.lost] for attempt in attempts] == [
        [LostAttempt],
        *[[]] * (len(attempts) - 1),
    ]
    assert measured.of("darwin.attempts.lost") == 1


async def test_an_unreadable_record_counts_as_a_failure(store: Store) -> None:
    due = await accept(store)
    await store._redis.hset(key(due), "body", "{")
    with Measured() as measured:
        await round_runner(store, Stages()).advance(due.evolution_id, 0)
    assert measured.of("darwin.evolutions", outcome="failed", method="unknown", error__type="Internal") == 1


async def test_an_evolution_whose_state_cannot_be_read_is_counted(store: Store) -> None:
    due = await accept(store)
    record = await store.load(due.evolution_id)
    await store.save(replace(record, version=1, state=SavedState('{"no": "evolution"}')), ())
    with Measured() as measured:
        await round_runner(store, Stages(), max_attempts=1).advance(due.evolution_id, 1)
    assert (await store.load(due.evolution_id)).status == "failed"
    assert measured.of("darwin.evolutions", outcome="failed", method="darwin", error__type="Internal") == 1
    assert measured.of("darwin.tokens") == 0


async def test_the_queue_has_a_depth_and_an_age(store: Store) -> None:
    redis = store._redis
    await redis.flushdb()
    assert await store.backlog() == Backlog(0, 0.0)
    first, *_ = [await accept(store) for _ in range(WINDOW + 3)]
    await asyncio.sleep(0.3)
    found = await store.backlog()
    assert (found.depth, await redis.llen(QUEUE)) == (WINDOW + 3, WINDOW)
    assert 0.3 <= found.age_s < 5
    assert await store.claim(first.evolution_id, 0, "somebody", 10)
    assert (await store.backlog()).depth == WINDOW + 2
    await store.release(first.evolution_id, "somebody")
    assert (await store.backlog()).depth == WINDOW + 3
    await redis.flushdb()
    before = await store.active()
    await accept(store)
    assert await store.active() == before + 1
