"""The life of evolutions: rounds, cancelling, deadlines, failures."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from shared.errors import DarwinError, Internal, InvalidRequest, Unavailable
from shared.records.events import Accepted, Ended, RoundFinished
from shared.records.evolution import Sampling
from shared.records.search import Search
from shared.store.evolutions import Store
from tests.integration.stages import REQUEST, Due, Stages, accept, advance, delay_s, finish, round_runner


async def test_one_task_is_one_evolution_saved_each_round(store: Store) -> None:
    due = await accept(store)
    await round_runner(store, Stages()).advance(due.evolution_id, 0)
    record = await store.load(due.evolution_id)
    assert record.status == "succeeded"
    assert record.result is not None
    assert record.result.choices[0].reward == max(c.reward for c in record.result.choices if c.reward is not None)
    events = [stored.event for stored in await store.events(due.evolution_id)]
    assert isinstance(events[0], Accepted)
    assert events[-1] == Ended("succeeded")
    finished = sum(isinstance(event, RoundFinished) for event in events)
    assert finished == record.result.rounds == record.version == len(await store.attempts(record.id)) > 1


async def test_a_worker_that_hands_back_saves_the_round_and_leaves_the_next(store: Store) -> None:
    due, stages = await accept(store), Stages(delay_s=0.2)
    worker = round_runner(store, stages)
    task = asyncio.ensure_future(worker.advance(due.evolution_id, 0))
    await stages.called.wait()
    worker.hand_back()
    await task
    record = await store.load(due.evolution_id)
    assert (record.version, record.status, record.unfinished) == (1, "running", "")
    claim = await store.claim(due.evolution_id, 1, "another", 10)
    assert claim is not None
    assert (claim.deaths, claim.lost) == (0, ())


async def test_doubled_stale_and_unknown_messages_do_nothing(store: Store) -> None:
    due = await accept(store)
    worker, stages = round_runner(store, stages := Stages()), stages
    following = await advance(store, worker, due)
    calls = len(stages.generated)
    await worker.advance(due.evolution_id, 0)
    await worker.advance("evo_unknown", 0)
    assert len(stages.generated) == calls
    assert following == Due(due.evolution_id, (await store.load(due.evolution_id)).version)
    await finish(store, worker, following)
    events = [stored.event for stored in await store.events(due.evolution_id)]
    assert len(events) == len(set(map(repr, events)))


async def test_cancel_stops_calls_and_ends_the_evolution(store: Store) -> None:
    due, stages = await accept(store), Stages(delay_s=30)
    task = asyncio.ensure_future(round_runner(store, stages, heartbeat_s=0.05).advance(due.evolution_id, 0))
    await stages.called.wait()
    await store.request_cancel(due.evolution_id)
    await asyncio.wait_for(task, 20)
    assert stages.in_flight == 0
    assert (await store.load(due.evolution_id)).status == "cancelled"


async def test_a_deadline_answers_with_the_best_so_far(store: Store) -> None:
    stages = Stages(delay_s=0.15)
    request = replace(REQUEST, search=Search(period=1, deadline_ms=500), sampling=Sampling(500))
    stages.world.end_probability = 0.0
    due = await accept(store, request)
    await finish(store, round_runner(store, stages), due)
    record = await store.load(due.evolution_id)
    assert record.status == "succeeded"
    assert record.result is not None
    assert record.result.stopped_by == "deadline_ms"
    assert record.result.choices[0].finish_reason == "length"
    assert record.result.seconds.total < 30


async def test_a_deadline_without_any_response_is_a_clear_failure(store: Store) -> None:
    due = await accept(store, replace(REQUEST, search=Search(deadline_ms=100)))
    await finish(store, round_runner(store, Stages(delay_s=5)), due)
    record = await store.load(due.evolution_id)
    assert record.status == "failed"
    assert record.error is not None
    assert record.error.code == "DeadlineExceeded"


async def test_a_passing_failure_is_tried_again_and_costs_nothing(store: Store) -> None:
    due = await accept(store)
    worker = round_runner(store, Stages(failures=[Unavailable("generation is away"), Internal("odd")]))
    again = await advance(store, worker, due)
    assert again is not None
    assert await delay_s(store, again) > 0
    await finish(store, worker, again)
    assert (await store.load(due.evolution_id)).status == "succeeded"


async def test_what_a_round_found_before_it_failed_is_kept(store: Store) -> None:
    due, stages = await accept(store), Stages(scoring_failures=[Unavailable("reward is away")])
    worker = round_runner(store, stages)
    again = await advance(store, worker, due)
    assert again is not None
    await finish(store, worker, again)
    assert (await store.load(due.evolution_id)).status == "succeeded"
    assert len({effect.key for effect in stages.generated}) == len(stages.generated)
    events = [repr(stored.event) for stored in await store.events(due.evolution_id)]
    assert len(events) == len(set(events))


async def test_a_call_that_fails_after_its_last_outcome_costs_nothing(store: Store) -> None:
    due, stages = await accept(store), Stages(late_failures=[Unavailable("reward went away")])
    async with asyncio.timeout(30):
        await finish(store, round_runner(store, stages), due)
    assert (await store.load(due.evolution_id)).status == "succeeded"
    assert not stages.late_failures


async def test_a_round_that_cannot_be_saved_is_performed_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    due, save, refused = await accept(store), store.save, [RuntimeError("too large")]

    async def refusing(*args: Any) -> None:
        if refused:
            raise refused.pop()
        await save(*args)

    monkeypatch.setattr(store, "save", refusing)
    again = await advance(store, worker := round_runner(store, Stages()), due)
    assert again is not None
    (attempt,) = await store.attempts(due.evolution_id)
    assert (attempt.error and attempt.error.code, attempt.calls) == ("Internal", ())
    await finish(store, worker, again)
    assert (await store.load(due.evolution_id)).status == "succeeded"


@pytest.mark.parametrize(
    ("error", "attempts"), [(InvalidRequest("too long", field="messages"), 1), (Unavailable("away"), 3)]
)
async def test_a_failure_that_stays_ends_the_evolution(store: Store, error: DarwinError, attempts: int) -> None:
    due, stages = await accept(store), Stages(failures=[error] * 99)
    await finish(store, round_runner(store, stages, max_attempts=3), due)
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
    worker = round_runner(store, stages := Stages(failures=[Unavailable("away")] * 99), max_attempts=50)
    following: Due | None = due
    while following is not None:
        await asyncio.sleep(await delay_s(store, following))
        following = await advance(store, worker, following)
    assert len(stages.failures) > 60
    record = await store.load(due.evolution_id)
    assert (record.status, record.error and record.error.code) == ("failed", "DeadlineExceeded")
