"""How long the simulated engine's responses are, and how likely their tokens."""

import math
from statistics import fmean

import pytest

from services.generation.engine import TokenSequence
from services.generation.messages import SamplingOptions
from services.generation.simulated_engine import SimulatedEngine
from services.generation.simulated_logprobs import likelihoods
from shared.records.formats import ResponseFormat


async def lengths(response_tokens: int, *, limit: int) -> list[int]:
    engine = SimulatedEngine(response_tokens=response_tokens)
    wanted = [TokenSequence((1,), limit, SamplingOptions(temperature=1.0), seed) for seed in range(200)]
    return [len((await engine.complete(sequence)).token_ids) for sequence in wanted]


@pytest.mark.parametrize("mean", [10, 40])
async def test_responses_have_the_mean_length_asked_for(mean: int) -> None:
    assert fmean(await lengths(mean, limit=1000)) == pytest.approx(mean, rel=0.25)


async def test_zero_never_ends_a_response() -> None:
    assert set(await lengths(0, limit=300)) == {300}


async def test_log_probabilities_are_those_of_its_draws() -> None:
    engine = SimulatedEngine(response_tokens=10)
    sampling = SamplingOptions(temperature=1.0, logprobs=2)
    completions = [await engine.complete(TokenSequence((1,), 60, sampling, seed)) for seed in range(100)]
    ends = [each.logprobs[-1].logprob for each in completions if each.token_ids[-1] == 0]
    assert set(ends) == {math.log(0.1)}
    assert len(ends) > 50
    for each in completions:
        assert len(each.logprobs) == len(each.token_ids)
        for token, found in zip(each.token_ids, each.logprobs, strict=True):
            assert found.top[0] == (0, math.log(0.1))
            assert token in {other for other, _ in found.top}
    unlikely = likelihoods(7, {1: 0.75, 2: 0.25, 3: 0.0}, 3, 12 * 1024 + 512)
    assert unlikely == (-math.inf, ((1, math.log(0.75)), (2, math.log(0.25)), (3, -math.inf)), 0.5)


async def test_under_a_format_they_are_those_of_what_it_allows() -> None:
    sampling = SamplingOptions(temperature=1.0, logprobs=20, format=ResponseFormat("choice", '["yes", "no"]'))
    engine = SimulatedEngine()
    completion = await engine.complete(TokenSequence((1,), 10, sampling, 1))
    assert [found.logprob for found in completion.logprobs[:2]] == [math.log(0.5), 0.0]
    assert {engine.decode([token]) for token, _ in completion.logprobs[0].top} == {"y", "n"}
