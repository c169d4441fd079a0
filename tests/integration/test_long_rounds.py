"""Rounds that take long are saved on their way: a worker that is lost takes little with it."""

import asyncio
import io
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import replace

import pytest
from rich.console import Console

from cli.history import show_command
from services.orchestrator import spans
from services.orchestrator.adapters.generation import GrpcGenerator
from services.orchestrator.core.values import Generate, Generated
from services.orchestrator.round_runner import RoundRunner
from services.orchestrator.settings import OrchestratorSettings
from shared.methods import Method
from shared.records.attempts import LOST, Attempt, whole_calls
from shared.records.evolution import EvolutionRequest, Record, Sampling, Tokens
from shared.records.search import Search
from shared.store.evolutions import Store
from tests.integration.simulated_generation import simulated_generation
from tests.integration.stages import REQUEST, Due, Stages, accept
from tests.integration.test_replay import check, recorded

_TOKENS_PER_SECOND = 100
_TOKENS = 200
_SEARCHES: dict[Method, Search] = {
    "sample": Search(cycles=0),
    "best-of-n": Search(mutants=3),
    "darwin": Search(mutants=3, period=_TOKENS),
}


class Watched:
    """The generation stage, with what it was asked for."""

    def __init__(self, generator: GrpcGenerator) -> None:
        self._generator = generator
        self.asked: list[Generate] = []

    async def generate(
        self, effects: Sequence[Generate], request: EvolutionRequest, timeout_s: float
    ) -> AsyncIterator[Generated]:
        self.asked.extend(effects)
        async for outcome in self._generator.generate(effects, request, timeout_s):
            yield outcome

    async def text_of(self, token_ids: Sequence[int], timeout_s: float) -> str:
        raise AssertionError

    async def reasoning_marks(self, timeout_s: float) -> tuple[str, str]:
        return "", ""

    async def template_variables(self, timeout_s: float) -> frozenset[str]:
        raise AssertionError


@pytest.fixture
async def generation() -> AsyncIterator[Watched]:
    async with simulated_generation(_TOKENS_PER_SECOND) as generator:
        yield Watched(generator)


def worker(store: Store, generation: Watched, **settings: float) -> RoundRunner:
    stages, settings = Stages(), {"save_s": 0.3, "lease_s": 0.6, "heartbeat_s": 0.1} | settings
    return RoundRunner(store, stages, generation, stages, OrchestratorSettings(**settings))  # type: ignore[arg-type]


async def saved_under_way(store: Store, due: Due, version: int) -> Record:
    for _ in range(200):
        record = await store.load(due.evolution_id)
        if record.version >= version:
            return record
        await asyncio.sleep(0.05)
    raise AssertionError(f"version {version} is not saved")


async def lose(task: "asyncio.Task[None]") -> None:
    """Ends what a worker does, as its death would: nothing more is saved or renewed."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def check_calls(attempts: Sequence[Attempt], tokens: Tokens, *, lost: bool) -> None:
    """The calls of all attempts have the tokens that were charged, in pieces and put together, and each has a span."""
    pieces = [call for attempt in attempts for call in attempt.calls]
    whole = [call for calls in whole_calls(attempts) for call in calls]
    for calls in (pieces, whole):
        assert sum(call.tokens for call in calls if call.stage != "reward") == tokens.generated
        assert sum(call.tokens for call in calls if call.stage == "reward") == tokens.reward
        parts = [part for call in calls if call.stage == "generation" for part in call.parts]
        assert sum(part.tokens for part in parts) == tokens.kept + tokens.discarded
    assert len({call.span_id for call in pieces}) == len(whole) < len(pieces)
    assert {call.error for call in whole if call.error} == ({LOST} if lost else set())
    assert not any(call.goes_on for call in whole)


def check_spans(record: Record, attempts: Sequence[Attempt], tokens: Tokens) -> None:
    """Each call has one span, those of a lost worker too, and together they have the tokens that were charged."""
    made = [
        span
        for attempt, calls in zip(attempts, whole_calls(attempts), strict=True)
        for span in spans.attempt_spans(record, attempt, calls, (), texts=False)
    ]
    assert len({span.span_id for span in made}) == len(made)
    of_calls = [span for span in made if span.name in ("mutate", "generate")]
    assert sum(int(str(span.attributes["gen_ai.usage.output_tokens"])) for span in of_calls) == tokens.generated
    assert {span.name for span in made if span.error == LOST} == {"generate"}


def request(method: Method, **search: int) -> EvolutionRequest:
    return replace(REQUEST, method=method, search=replace(_SEARCHES[method], **search), sampling=Sampling(_TOKENS))


@pytest.mark.parametrize("method", _SEARCHES)
async def test_another_worker_goes_on_where_a_lost_one_saved(store: Store, generation: Watched, method: Method) -> None:
    due = await accept(store, request(method))
    lost = asyncio.ensure_future(worker(store, generation).advance(due.evolution_id, 0))
    await saved_under_way(store, due, 3)
    await lose(lost)
    before = (await store.load(due.evolution_id)).version
    await asyncio.sleep(0.7)
    generation.asked.clear()
    await worker(store, generation).advance(due.evolution_id, before)
    record = await store.load(due.evolution_id)
    assert record.status == "succeeded"
    assert record.result is not None
    assert generation.asked
    assert all(len(effect.token_ids) >= 0.4 * _TOKENS_PER_SECOND for effect in generation.asked)
    assert {choice.completion_tokens for choice in record.result.choices} == {_TOKENS}
    sequences = 1 if method == "sample" else 4
    assert record.result.tokens.kept + record.result.tokens.discarded == sequences * _TOKENS
    attempts = await store.attempts(due.evolution_id)
    assert len(attempts) == record.version > 3
    check(await recorded(store, due))
    check_calls(attempts, record.result.tokens, lost=True)
    check_spans(record, attempts, record.result.tokens)
    console = Console(width=200, file=io.StringIO())
    console.print(*show_command.parts(await recorded(store, due), 200))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert sum(map(int, re.findall(r"generation.* (\d+) *\n", shown))) == sequences * _TOKENS
    assert re.search(r"lost: its worker ended, with calls under way: [12]; [1-9]\d* tokens of theirs are kept", shown)


@pytest.mark.parametrize("method", _SEARCHES)
async def test_a_deadline_finds_what_a_lost_worker_has_saved(store: Store, generation: Watched, method: Method) -> None:
    due = await accept(store, request(method, deadline_ms=1400))
    lost = asyncio.ensure_future(worker(store, generation).advance(due.evolution_id, 0))
    await saved_under_way(store, due, 2)
    await lose(lost)
    await asyncio.sleep(1.2)
    await worker(store, generation).conclude(due.evolution_id, (await store.load(due.evolution_id)).version)
    record = await store.load(due.evolution_id)
    assert (record.status, record.result and record.result.stopped_by) == ("succeeded", "deadline_ms")
    assert record.result is not None
    assert record.result.choices[0].text
    check(await recorded(store, due))
    check_calls(await store.attempts(due.evolution_id), record.result.tokens, lost=True)


async def test_a_round_that_is_saved_on_its_way_stays_with_its_worker(store: Store, generation: Watched) -> None:
    due = await accept(store, request("best-of-n"))
    task = asyncio.ensure_future(worker(store, generation).advance(due.evolution_id, 0))
    versions = []
    while not task.done():
        record = await store.load(due.evolution_id)
        versions.append(record.version)
        if record.version and record.status == "running":
            assert await store.claim(due.evolution_id, record.version, "another", 5) is None
        await asyncio.sleep(0.05)
    await task
    assert len(set(versions)) > 4
    assert len(generation.asked) == 4, "nothing is asked for again"
    check(await recorded(store, due))
    record = await store.load(due.evolution_id)
    assert record.result is not None
    check_calls(await store.attempts(due.evolution_id), record.result.tokens, lost=False)
    assert record.seconds.generation <= record.seconds.total, "no second of a call counts twice"


async def test_where_nothing_is_new_nothing_is_saved(store: Store, generation: Watched) -> None:
    stages = Stages(delay_s=1.0)
    settings = OrchestratorSettings(save_s=0.1)
    due = await accept(store, request("sample"))
    task = asyncio.ensure_future(RoundRunner(store, stages, stages, stages, settings).advance(due.evolution_id, 0))
    await asyncio.sleep(0.8)
    assert (await store.load(due.evolution_id)).version == 0
    await task
    # On a slow machine what was decoded is saved before it is scored.
    assert (await store.load(due.evolution_id)).version in (1, 2)
