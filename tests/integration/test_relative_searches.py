"""Searches whose rewards compare responses, over a real Redis, in the hands of workers that fail and hand back."""

from dataclasses import replace

import pytest

from shared.errors import Internal, Unavailable
from shared.records.attempts import Attempt
from shared.records.events import PopulationScored
from shared.records.evolution import EvolutionRequest, Record
from shared.records.search import Search
from shared.store.evolutions import Store
from tests.integration.stages import REQUEST, Due, Stages, accept, advance, round_runner

COMPARES = replace(REQUEST, relative_rewards=True, search=Search(period=6, cycles=2, mutants=3, survivors=1))


async def ended(store: Store, stages: Stages, request: EvolutionRequest) -> tuple[Record, list[PopulationScored]]:
    """The search, each of whose rounds another worker performs."""
    due: Due | None = await accept(store, request)
    assert due is not None
    evolution_id = due.evolution_id
    while due is not None:
        due = await advance(store, round_runner(store, stages), due)
    events = [stored.event for stored in await store.events(evolution_id)]
    return await store.load(evolution_id), [event for event in events if isinstance(event, PopulationScored)]


@pytest.mark.parametrize("failing", [False, True])
async def test_what_is_compared_is_told_and_survives_workers_that_fail(store: Store, failing: bool) -> None:
    stages = Stages()
    if failing:
        stages.scoring_failures = [Unavailable("restarted"), Unavailable("restarted")]
        stages.late_failures = [Internal("lost its connection")]
    record, told = await ended(store, stages, COMPARES)
    straight, same = await ended(store, Stages(), COMPARES)
    assert told == same
    assert record.result is not None
    assert straight.result is not None
    assert record.result.choices == straight.result.choices
    assert record.result.stopped_by is None
    last = told[-1]
    assert (last.final, len(last.responses)) == (True, 1 + 2 * 3)
    rewards = dict(zip(last.responses, last.rewards, strict=True))
    assert record.result.base is not None
    for choice in (*record.result.choices, record.result.base):
        where = (last.cycle, -1) if choice.state is None else (choice.cycle, choice.state)
        assert choice.reward == rewards[where]
    attempts: list[Attempt] = await store.attempts(record.id)
    scored = [outcome for attempt in attempts for outcome in attempt.outcomes if outcome["kind"] == "ScoredTogether"]
    assert len(scored) == len(told)
