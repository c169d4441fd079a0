"""Evolutions as workers perform them over a real Redis, retried, paused, cut short: each replays the same."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from cli.history.lineage import pieces
from cli.history.recording import SavedRecording, parse
from cli.history.replay import replay
from services.mutation.critique import MAX_TOKENS
from services.orchestrator.credit.gains import cycle_gains
from services.orchestrator.round_runner import RoundRunner
from services.orchestrator.settings import OrchestratorSettings
from shared.errors import DarwinError, Internal, InvalidRequest, Unavailable
from shared.methods import Method
from shared.records.evolution import EvolutionRequest, Sampling
from shared.records.search import Search
from shared.store import scripts
from shared.store.evolutions import Store
from tests.integration.stages import REQUEST, Due, Stages, accept, advance, finish, round_runner
from tests.unit.cli.history.evolved import document
from tests.unit.in_process import stages as stages_of_simulations
from tests.unit.orchestrator.strategies import World

AWAY = Unavailable("away")


async def recorded(store: Store, due: Due, operator: bool = True) -> SavedRecording:
    events = [stored.event for stored in await store.events(due.evolution_id)]
    attempts = await store.attempts(due.evolution_id)
    return parse(document(await store.load(due.evolution_id), events, attempts, operator), due.evolution_id)


def check(recording: SavedRecording) -> None:
    """It replays to its end, its answer's pieces are its own, and its calls have the tokens that were charged."""
    told = replay(recording)
    assert told.difference is None
    assert told.decisions == sum(not event.type.startswith("evolution.") for event in recording.events)
    if recording.result:
        calls = [call for attempt in recording.attempts for call in attempt.calls]
        sampled = sum(call.tokens for call in calls if call.stage != "reward")
        assert sampled == recording.result.tokens.generated
    if recording.result and recording.result.choices:
        best = recording.result.choices[0]
        assert sum(piece.tokens or 0 for piece in pieces(recording, best)) == best.completion_tokens


@pytest.mark.parametrize("method", ["darwin", "best-of-n", "mutation-only", "replacement-only", "sample"])
async def test_every_method(method: Method, store: Store) -> None:
    search = Search(period=6, cycles=0 if method == "sample" else 2)
    due = await accept(store, replace(REQUEST, method=method, search=search))
    await finish(store, round_runner(store, Stages()), due)
    recording = await recorded(store, due)
    assert recording.status == "succeeded"
    check(recording)


@pytest.mark.parametrize("method", ["darwin", "best-of-n"])
async def test_doubted_rewards_and_a_population_that_shrinks(method: Method, store: Store) -> None:
    search = Search(period=6, cycles=2, mutants=8, selection="pessimism", beta=0.3, final_beta=0.5, shrink=0.5)
    due = await accept(store, replace(REQUEST, method=method, search=search, n=2))
    stages = Stages()
    stages.world = World(5, abstain_probability=0.3, break_probability=0.3)
    await finish(store, round_runner(store, stages), due)
    recording = await recorded(store, due)
    check(recording)
    rounds = [event for event in recording.events if event.type == "round.finished"]
    assert any(event.dropped for event in rounds)
    assert any(event.abstained for event in rounds)
    assert any(event.breaks for event in rounds)
    assert all(sum(event.weights) == pytest.approx(1) for event in rounds)


async def test_mutants_that_quote_responses(store: Store) -> None:
    search = Search(period=8, cycles=3, mutants=4, crossover=3, refine=True, max_generated_tokens=2000)
    due = await accept(store, replace(REQUEST, search=search))
    async with stages_of_simulations() as served:
        worker = RoundRunner(store, served.mutator, served.generator, served.scorer, OrchestratorSettings())
        await finish(store, worker, due)
    recording = await recorded(store, due)
    check(recording)
    made = [(event.cycle, event.operator) for event in recording.events if event.type == "mutant.accepted"]
    quoting = sorted(each for each in made if each[1] in ("crossover", "refine"))
    assert quoting == [(cycle, operator) for cycle in (2, 3) for operator in ("crossover", "refine")]
    assert recording.result is not None
    assert 0 < recording.result.tokens.mutation <= 2 * MAX_TOKENS
    gained = [gain.operator for cycle in cycle_gains(recording.events) for gain in cycle.gains]
    assert gained.count("crossover") == gained.count("refine") == 2


async def test_survivors_that_differ(store: Store) -> None:
    due = await accept(store, replace(REQUEST, search=Search(period=6, mutants=6, survivors=3, diversity=2.0)))
    stages = Stages()
    stages.world = World(5, embeds=True)
    await finish(store, round_runner(store, stages), due)
    recording = await recorded(store, due)
    check(recording)
    outcomes = [outcome for attempt in recording.attempts for outcome in attempt.outcomes]
    assert any(outcome.get("embedding") for outcome in outcomes)


@pytest.mark.parametrize(
    ("failures", "errors"),
    [
        ({"failures": [AWAY, Internal("odd")]}, 2),
        ({"scoring_failures": [AWAY]}, 1),
        ({"late_failures": [AWAY]}, 0),
    ],
)
@pytest.mark.usefixtures("no_retries")
async def test_a_round_that_failed_and_was_retried(
    failures: dict[str, Sequence[DarwinError]], errors: int, store: Store
) -> None:
    due = await accept(store)
    await finish(store, round_runner(store, Stages(**failures)), due)  # type: ignore[arg-type]
    recording = await recorded(store, due)
    assert sum(attempt.error is not None for attempt in recording.attempts) == errors
    assert recording.attempts[1].after == recording.attempts[0].id or recording.attempts[0].error is None
    check(recording)


async def test_a_round_that_paused_and_went_on_elsewhere(store: Store) -> None:
    due, slow = await accept(store), Stages(delay_s=30)
    worker = round_runner(store, slow, heartbeat_s=0.02)
    task = asyncio.ensure_future(worker.advance(due.evolution_id, 0))
    await slow.called.wait()
    await asyncio.sleep(0.1)
    worker.interrupt()
    await task
    await finish(store, round_runner(store, Stages()), Due(due.evolution_id, 1))
    recording = await recorded(store, due)
    paused, resumed = recording.attempts[:2]
    assert (paused.error, resumed.after) == (None, paused.id)
    assert paused.outcomes
    assert resumed.round == paused.round
    check(recording)


async def test_a_round_whose_worker_was_lost(store: Store) -> None:
    due, slow = await accept(store), Stages(delay_s=30)
    following = await advance(store, round_runner(store, Stages()), due)
    assert following is not None
    lost = asyncio.ensure_future(_die(round_runner(store, slow, lease_s=0.1, heartbeat_s=5), following))
    await slow.called.wait()
    await asyncio.sleep(0.3)
    await finish(store, round_runner(store, Stages()), following)
    lost.cancel()
    await asyncio.wait({lost})
    recording = await recorded(store, due)
    assert len(recording.attempts[1].lost) == 1
    check(recording)


async def _die(worker: RoundRunner, due: Due) -> None:
    with contextlib.suppress(asyncio.CancelledError):
        await worker.advance(due.evolution_id, due.version)


@pytest.mark.parametrize(
    ("search", "settings", "stages", "status"),
    [
        (Search(period=1, deadline_ms=500), {"max_tokens": 500}, {"delay_s": 0.15}, "succeeded"),
        (Search(deadline_ms=100), {"max_tokens": 24}, {"delay_s": 5}, "failed"),
        (Search(period=6, cycles=3, max_generated_tokens=150), {"max_tokens": 24}, {}, "succeeded"),
        (Search(period=6), {"max_tokens": 24}, {"failures": [InvalidRequest("too long")]}, "failed"),
        (Search(period=6), {"max_tokens": 24}, {"scoring_failures": [AWAY] * 99}, "succeeded"),
        (Search(period=6), {"max_tokens": 24}, {"failures": [AWAY] * 99}, "failed"),
    ],
)
@pytest.mark.usefixtures("no_retries")
async def test_a_search_that_ended_early(
    search: Search, settings: dict[str, int], stages: dict[str, Any], status: str, store: Store
) -> None:
    due = await accept(store, replace(REQUEST, search=search, sampling=Sampling(**settings)))
    given = Stages(**stages)
    given.world.end_probability = 0.02
    await finish(store, round_runner(store, given, max_attempts=3), due)
    recording = await recorded(store, due)
    assert recording.status == status
    check(recording)
    check(await recorded(store, due, operator=False))


async def test_a_cancelled_and_a_running_one(store: Store) -> None:
    request: EvolutionRequest = replace(REQUEST, sampling=Sampling(60))
    due = await accept(store, request)
    following = await advance(store, round_runner(store, Stages()), due)
    assert following is not None
    running = replay(await recorded(store, due))
    assert running.unfinished
    assert running.difference is None
    assert running.decisions > 0
    await store.request_cancel(due.evolution_id)
    await finish(store, round_runner(store, Stages()), following)
    recording = await recorded(store, due)
    assert recording.status == "cancelled"
    check(recording)


@pytest.mark.parametrize("method", ["darwin", "replacement-only", "best-of-n"])
async def test_saves_that_are_sent_again_are_as_sent_once(
    method: Method, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis is away whenever a version is saved for the first time."""
    refused, save = set[str](), scripts.SAVE

    async def away_at_first(redis: Any, **given: Any) -> Any:
        if given["version"] not in refused:
            refused.add(given["version"])
            raise AWAY
        return await save(redis, **given)

    monkeypatch.setattr(scripts, "SAVE", away_at_first)
    due = await accept(store, replace(REQUEST, method=method, search=Search(period=6, cycles=2)))
    await round_runner(store, Stages()).advance(due.evolution_id, 0)
    recording = await recorded(store, due)
    assert recording.status == "succeeded"
    assert len(refused) == len(recording.attempts) > 0
    check(recording)
