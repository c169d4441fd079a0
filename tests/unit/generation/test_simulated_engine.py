"""How long the simulated engine's responses are."""

from statistics import fmean

import pytest

from services.generation.engine import TokenSequence
from services.generation.messages import SamplingOptions
from services.generation.simulated_engine import SimulatedEngine


async def lengths(response_tokens: int, *, limit: int) -> list[int]:
    engine = SimulatedEngine(response_tokens=response_tokens)
    wanted = [TokenSequence((1,), limit, SamplingOptions(temperature=1.0), seed) for seed in range(200)]
    return [len((await engine.complete(sequence)).token_ids) for sequence in wanted]


@pytest.mark.parametrize("mean", [10, 40])
async def test_responses_have_the_mean_length_asked_for(mean: int) -> None:
    assert fmean(await lengths(mean, limit=1000)) == pytest.approx(mean, rel=0.25)


async def test_zero_never_ends_a_response() -> None:
    assert set(await lengths(0, limit=300)) == {300}
