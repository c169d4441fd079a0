"""The life of evolutions: rounds, cancelling, deadlines, failures."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from services.orchestrator.core.values import Generate, Generated
from shared.errors import ContextLengthExceeded, DarwinError, Internal, InvalidRequest, Overloaded, Unavailable
from shared.methods import Method
from shared.records.events import Accepted, Ended, RoundFinished
from shared.records.evolution import EvolutionRequest, Failure, Sampling
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


@pytest.mark.usefixtures("no_retries")
async def test_a_passing_failure_is_tried_again_and_costs_nothing(store: Store) -> None:
    due = await accept(store)
    worker = round_runner(store, Stages(failures=[Unavailable("generation is away"), Internal("odd")]))
    again = await advance(store, worker, due)
    assert again is not None
    assert await delay_s(store, again) > 0
    await finish(store, worker, again)
    assert (await store.load(due.evolution_id)).status == "succeeded"


@pytest.mark.usefixtures("no_retries")
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


@pytest.mark.usefixtures("no_retries")
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


@pytest.mark.usefixtures("no_retries")
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


METHODS: tuple[Method, ...] = ("sample", "best-of-n", "darwin")


def of_method(method: Method, **search: int) -> EvolutionRequest:
    return replace(REQUEST, method=method, search=Search(period=6, cycles=0 if method == "sample" else 2, **search))


@pytest.mark.usefixtures("no_retries")
@pytest.mark.parametrize("method", METHODS)
async def test_a_failure_that_stays_is_answered_with_the_best_so_far(store: Store, method: Method) -> None:
    due, stages = await accept(store, of_method(method)), Stages(scoring_failures=[Unavailable("ipv4:10.0.3.7")] * 99)
    await finish(store, round_runner(store, stages, max_attempts=3), due)
    record = await store.load(due.evolution_id)
    assert record.result is not None
    assert (record.status, record.result.stopped_by) == ("succeeded", "error")
    assert record.result.choices[0].text
    assert record.error == Failure("Unavailable", "ipv4:10.0.3.7")
    assert record.finished_at is not None
    attempts = await store.attempts(due.evolution_id)
    assert [attempt.error for attempt in attempts] == [record.error] * 3
    assert [event.event for event in await store.events(due.evolution_id)][-1] == Ended(
        "succeeded", "error", record.error
    )


async def test_an_error_of_the_request_is_told_until_a_response_was_scored(store: Store) -> None:
    refusal = ContextLengthExceeded.of(8, 9)
    due = await accept(store, of_method("darwin"))
    following = await advance(store, round_runner(store, Stages()), due)
    assert following is not None
    await finish(store, round_runner(store, Stages(failures=[refusal])), following)
    answered = await store.load(due.evolution_id)
    assert answered.result is not None
    assert (answered.status, answered.result.stopped_by) == ("succeeded", "error")
    assert answered.result.choices[0].reward is not None
    due = await accept(store, of_method("darwin"))
    await finish(store, round_runner(store, Stages(scoring_failures=[InvalidRequest("no such profile")])), due)
    refused = await store.load(due.evolution_id)
    assert (refused.status, refused.result) == ("failed", None)
    assert refused.error == Failure("InvalidRequest", "no such profile")


async def test_a_full_stage_before_the_first_round_is_no_failure(store: Store) -> None:
    class Full(Stages):
        async def template_variables(self, timeout_s: float) -> frozenset[str]:
            if self.failures:
                raise self.failures.pop()
            return frozenset()

    due: Due | None = await accept(store, replace(REQUEST, template_arguments={"enable_thinking": True}))
    assert due is not None
    evolution_id, worker = (
        due.evolution_id,
        round_runner(store, Full(failures=[Overloaded("full")] * 9), max_attempts=2),
    )
    for _ in range(9):
        due = await advance(store, worker, due)
        assert due is not None
        assert (await store.load(evolution_id)).attempts == 0
        assert await delay_s(store, due) > 1
    await finish(store, worker, due)
    assert (await store.load(evolution_id)).status == "succeeded"


class Bearing(Stages):
    """Bears so many calls to generation at once."""

    def __init__(self, calls: int) -> None:
        super().__init__(delay_s=0.02)
        self.calls, self.refused = calls, 0

    async def generate(
        self, effects: Sequence[Generate], request: EvolutionRequest, timeout_s: float
    ) -> AsyncIterator[Generated]:
        if self.in_flight >= self.calls:
            self.refused += 1
            raise Overloaded(f"{self.calls} calls are served already")
        async for outcome in super().generate(effects, request, timeout_s):
            yield outcome


async def test_twice_what_a_stage_bears_is_done_without_a_failed_attempt(store: Store) -> None:
    stages = Bearing(8)
    worker, accepted = round_runner(store, stages, max_attempts=1), [await accept(store) for _ in range(16)]
    async with asyncio.timeout(60):
        await asyncio.gather(*(finish(store, worker, due) for due in accepted))
    assert stages.refused
    for due in accepted:
        assert (await store.load(due.evolution_id)).status == "succeeded"
        assert not any(attempt.error for attempt in await store.attempts(due.evolution_id))


async def test_a_full_stage_is_waited_for_until_the_deadline(store: Store) -> None:
    due = await accept(store, replace(REQUEST, search=Search(period=6, deadline_ms=1500)))
    await finish(store, round_runner(store, stages := Stages(failures=[Overloaded("full")] * 99), max_attempts=1), due)
    record = await store.load(due.evolution_id)
    assert (record.status, record.error and record.error.code) == ("failed", "DeadlineExceeded")
    assert 90 < len(stages.failures) < 98
