"""What is cut while responses are decoded has text and is charged, for methods that decode in one round too."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest

from services.gateway.api.serializers import result_of
from services.orchestrator.core.values import Generate, Generated
from services.orchestrator.round_runner import RoundRunner
from services.orchestrator.settings import OrchestratorSettings
from shared.errors import DeadlineExceeded, Overloaded
from shared.methods import Method
from shared.records.evolution import EvolutionRequest, Sampling
from shared.records.search import Search
from shared.store.evolutions import Store
from tests.integration.layouts import every_layout
from tests.integration.simulated_generation import simulated_generation
from tests.integration.stages import REQUEST, Stages, accept, finish, round_runner

_TOKENS_PER_SECOND = 50
_ONE_ROUND: dict[Method, Search] = {
    "sample": Search(cycles=0),
    "best-of-n": Search(mutants=3),
    "mutation-only": Search(mutants=3),
}


@pytest.fixture
async def runner(store: Store) -> AsyncIterator[RoundRunner]:
    """A worker whose responses an engine decodes for minutes."""
    stages = Stages()
    async with simulated_generation(_TOKENS_PER_SECOND) as generator:
        yield RoundRunner(store, stages, generator, stages, OrchestratorSettings(heartbeat_s=0.1))


@every_layout
async def test_a_deadline_while_decoding_finds_text_that_is_charged(store: Store, runner: RoundRunner) -> None:
    await asyncio.gather(*(_finds_text_that_is_charged(store, runner, method) for method in _ONE_ROUND))


async def _finds_text_that_is_charged(store: Store, runner: RoundRunner, method: Method) -> None:
    search = replace(_ONE_ROUND[method], deadline_ms=1500)
    due = await accept(store, replace(REQUEST, method=method, search=search, sampling=Sampling(4000)))
    began = time.time()
    await finish(store, runner, due)
    took_s = time.time() - began
    assert took_s < 10  # of 80 that it would take
    record = await store.load(due.evolution_id)
    assert record.status == "succeeded"
    assert record.result is not None
    assert record.result.stopped_by == "deadline_ms"
    assert record.result.choices[0].text
    sequences = 1 if method == "sample" else 4
    decoded = record.result.tokens.kept + record.result.tokens.discarded
    assert sequences <= decoded <= 1.1 * took_s * _TOKENS_PER_SECOND * sequences
    (attempt,) = await store.attempts(due.evolution_id)
    generated = [outcome for outcome in attempt.outcomes if outcome["kind"] == "Generated"]
    assert len(generated) == sequences
    assert sum(outcome["generated_tokens"] for outcome in generated) == decoded
    assert sum(call.tokens for call in attempt.calls if call.stage == "generation") == decoded


@every_layout
async def test_what_is_cancelled_while_decoding_is_charged(store: Store, runner: RoundRunner) -> None:
    request = replace(REQUEST, method="best-of-n", search=_ONE_ROUND["best-of-n"], sampling=Sampling(4000))
    due = await accept(store, request)
    task = asyncio.ensure_future(runner.advance(due.evolution_id, 0))
    await asyncio.sleep(0.5)
    await store.request_cancel(due.evolution_id)
    await asyncio.wait_for(task, 30)
    record = await store.load(due.evolution_id)
    assert record.status == "cancelled"
    assert record.result is not None
    assert record.result.tokens.generated >= 4
    assert record.result.choices[0].text


class FullStages(Stages):
    """Generation is full, and says for how long."""

    async def generate(
        self, effects: Sequence[Generate], request: EvolutionRequest, timeout_s: float
    ) -> AsyncIterator[Generated]:
        full = Overloaded("full")
        full.retry_after_s = 45.0
        raise full
        yield


@pytest.mark.parametrize("method", ["sample", "best-of-n", "darwin"])
async def test_a_search_that_fails_because_a_stage_is_full_tells_when_to_come_back(
    store: Store, method: Method
) -> None:
    search = Search(cycles=0 if method == "sample" else 1, deadline_ms=800)
    due = await accept(store, replace(REQUEST, method=method, search=search))
    await finish(store, round_runner(store, FullStages(), heartbeat_s=0.1), due)
    record = await store.load(due.evolution_id)
    assert (record.status, record.error and record.error.code) == ("failed", "DeadlineExceeded")
    assert record.retry_after_s == pytest.approx(44.5, abs=2)
    with pytest.raises(DeadlineExceeded) as raised:
        result_of(record)
    assert raised.value.retry_after_s == record.retry_after_s
