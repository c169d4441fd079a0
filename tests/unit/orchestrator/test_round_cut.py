"""What becomes of a round that is cut short: all that its calls have brought is kept, and charged."""

import asyncio

import pytest

from shared.errors import InvalidRequest
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
