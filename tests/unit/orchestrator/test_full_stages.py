"""When a stage that is full wants to be asked again: for how long it is waited for, and what is known at the end."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence

import pytest

from services.orchestrator.core.values import Generate, Generated
from shared.errors import Overloaded
from shared.records.evolution import EvolutionRequest
from tests.unit.orchestrator import virtual_time
from tests.unit.orchestrator.test_round_retries import Stages, execution


def test_a_search_that_ends_while_a_stage_is_full_knows_for_how_long() -> None:
    async def main() -> None:
        full = Overloaded("full")
        full.retry_after_s = 500.0
        round_ = execution(Stages(generation=[(0, full)]), "sample")
        assert round_.full_for_s is None
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(10):
                await round_.run()
        assert round_.full_for_s == pytest.approx(500, abs=5)
        served = execution(Stages(generation=[(0, Overloaded("full"))]), "sample")
        await served.run()
        assert served.full_for_s is None

    virtual_time.run(main())


def test_no_stage_is_given_longer_than_the_deadline_leaves() -> None:
    class Timed(Stages):
        given = 0.0

        async def generate(
            self, effects: Sequence[Generate], request: EvolutionRequest, timeout_s: float
        ) -> AsyncIterator[Generated]:
            self.given = timeout_s
            async for outcome in super().generate(effects, request, timeout_s):
                yield outcome

    for left_s, expected in ((10.0, 11.0), (-5.0, 1.0), (10_000.0, 300.0), (None, 300.0)):
        stages = Timed()
        virtual_time.run(execution(stages, "sample", deadline=left_s and time.time() + left_s).run())
        assert stages.given == pytest.approx(expected, abs=0.5)
