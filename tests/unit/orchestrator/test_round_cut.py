"""What becomes of a round that is cut short: all that its calls have brought is kept, and charged."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest

from services.orchestrator.core.values import Generate, Generated
from services.orchestrator.round import RoundExecution
from shared.errors import InvalidRequest
from shared.records.evolution import EvolutionRequest
from tests.unit.orchestrator import virtual_time
from tests.unit.orchestrator.test_round_retries import Stages, execution

# Base response and mutants come after a second, and what is decoded of the mutants after another; meanwhile, and before
# it is applied, the round waits for more.
MOMENTS = tuple(second + step / 1000 for second in (1, 2) for step in range(-3, 20))


async def cut_at(seconds: float) -> tuple[int, int, int, int]:
    """The tokens that were sampled by calls, and of those the number that is charged; and the same of mutants."""
    cut = execution(Stages())
    running = asyncio.ensure_future(cut.run())
    await asyncio.sleep(seconds)
    running.cancel()
    await asyncio.wait({running})
    brought = {
        stage: sum(call.tokens for call in cut.journal.calls if call.stage == stage)
        for stage in ("generation", "mutation")
    }
    cut.stop("deadline_ms")
    return brought["generation"], cut.spent.generation, brought["mutation"], cut.spent.mutation


def test_what_has_come_before_a_cut_is_charged_whenever_it_comes() -> None:
    found = [virtual_time.run(cut_at(moment)) for moment in MOMENTS]
    assert [(charged, of_mutants) for _, charged, _, of_mutants in found] == [
        (brought, of_mutants) for brought, _, of_mutants, _ in found
    ]
    assert len({brought for brought, *_ in found}) > 1, "all moments were before or after the decoding"


def test_what_has_come_before_a_failure_is_charged() -> None:
    async def main() -> None:
        failing = execution(Stages(generation=[(1, InvalidRequest("no")), (20, InvalidRequest("no"))]))
        with pytest.raises(InvalidRequest):
            await failing.run()
        calls = [call for call in failing.journal.calls if call.stage == "generation"]
        assert failing.spent.generation == sum(call.tokens for call in calls) > 0

    virtual_time.run(main())


class Trickling(Stages):
    """Each response comes in two parts, the second half a second later."""

    async def generate(
        self, effects: Sequence[Generate], request: EvolutionRequest, timeout_s: float
    ) -> AsyncIterator[Generated]:
        rest = []
        async for outcome in super().generate(effects, request, timeout_s):
            half = len(outcome.token_ids) // 2
            text = " ".join(outcome.text.split()[:half])
            ids, finish, sampled = outcome.token_ids[:half], "length", half
            changes = {"token_ids": ids, "finish": finish, "generated_tokens": sampled, "text": text, "partial": True}
            yield replace(outcome, **changes)  # type: ignore[arg-type]
            sampled = outcome.generated_tokens - half
            rest.append(replace(outcome, token_ids=outcome.token_ids[half:], generated_tokens=sampled))
        await asyncio.sleep(0.5)
        for outcome in rest:
            yield outcome


def told_and_charged(execution_: RoundExecution) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Tokens by stage: of the calls that the journal has, and those that are charged."""
    calls, spent = execution_.journal.calls, execution_.spent
    told = {
        stage: sum(call.tokens for call in calls if call.stage == stage)
        for stage in ("generation", "mutation", "reward")
    }
    return tuple(told.values()), (spent.generation, spent.mutation, spent.reward)


async def saved_at(moments: Sequence[float], lost: bool) -> list[RoundExecution]:
    """What is saved of a round at these moments and at its end, which it does not see where it is `lost`."""
    round_ = execution(Trickling())
    running, saved = asyncio.ensure_future(round_.run()), []
    for moment in moments:
        await asyncio.sleep(moment - virtual_time.now())
        if (so_far := await round_.cut()) is not None:
            saved.append(so_far)
    if lost:
        running.cancel()
    await asyncio.wait({running})
    return saved if lost else [*saved, round_]


@pytest.mark.parametrize("lost", [False, True])
def test_whenever_a_round_is_saved_its_calls_have_what_is_charged(lost: bool) -> None:
    for moment in MOMENTS:
        saved = virtual_time.run(saved_at((moment, moment + 0.002, moment + 0.5), lost))
        for each in saved:
            told, charged = told_and_charged(each)
            assert told == charged
        calls = [call for each in saved for call in each.journal.calls]
        assert {call.span_id for call in calls if call.goes_on}, "nothing was under way"
        ended = {call.span_id for call in calls if not call.goes_on}
        assert lost or {call.span_id for call in calls} == ended
