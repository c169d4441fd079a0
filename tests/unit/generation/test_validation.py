from dataclasses import replace

import pytest

from services.generation.generator import SequenceGenerator
from services.generation.messages import GenerateRequest, RawPrompt, SamplingOptions, Sequence
from services.generation.simulated_engine import SimulatedEngine
from services.generation.validation import GenerationLimits
from shared.errors import InvalidRequest
from shared.records.evolution import Message
from shared.records.formats import ResponseFormat
from shared.records.template_inputs import TemplateInputs

GOOD = Sequence("s", (Message("user", "Hello"),), max_new_tokens=4)


async def generate(request: GenerateRequest) -> int:
    generator = SequenceGenerator(SimulatedEngine(), GenerationLimits(sequences=3))
    return sum([len(results) async for results in generator.generate(request)])


@pytest.mark.parametrize(
    ("sequence", "field"),
    [
        (replace(GOOD, id=""), "sequences[0].id"),
        (replace(GOOD, id="x" * 257), "sequences[0].id"),
        (replace(GOOD, response_token_ids=(1,) * 10_000), "response_token_ids"),
        (replace(GOOD, messages=()), "messages"),
        (replace(GOOD, messages=(Message("function", "Hello"), *GOOD.messages)), "role"),
        (replace(GOOD, messages=(Message("assistant", "Hi"),)), "messages"),
        (replace(GOOD, max_new_tokens=0), "max_new_tokens"),
        (replace(GOOD, max_new_tokens=10**6), "max_new_tokens"),
        (replace(GOOD, lookahead_tokens=10**6), "lookahead_tokens"),
        (replace(GOOD, response_token_ids=(10**6,)), "response_token_ids"),
    ],
)
async def test_a_wrong_sequence_is_refused_by_its_field(sequence: Sequence, field: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await generate(GenerateRequest((sequence,)))
    assert field in (refused.value.field or "")
    assert len(refused.value.message) > 15


@pytest.mark.parametrize(
    ("sampling", "field"),
    [
        (SamplingOptions(temperature=float("nan")), "temperature"),
        (SamplingOptions(temperature=2.5), "temperature"),
        (SamplingOptions(top_p=0.0), "top_p"),
        (SamplingOptions(top_p=1.5), "top_p"),
        (SamplingOptions(stop=("a", "b", "c", "d", "e")), "stop"),
        (SamplingOptions(stop=("",)), "stop"),
        (SamplingOptions(presence_penalty=2.1), "presence_penalty"),
        (SamplingOptions(frequency_penalty=float("nan")), "frequency_penalty"),
        (SamplingOptions(repetition_penalty=0.001), "repetition_penalty"),
        (SamplingOptions(min_p=-0.1), "min_p"),
        (SamplingOptions(logit_bias={1: 101.0}), "logit_bias"),
        (SamplingOptions(logit_bias={10**6: 1.0}), "logit_bias"),
        (SamplingOptions(logit_bias=dict.fromkeys(range(301), 1.0)), "logit_bias"),
        (SamplingOptions(ignore_eos=True, format=ResponseFormat("json_object")), "ignore_eos"),
    ],
)
async def test_wrong_sampling_is_refused_by_its_field(sampling: SamplingOptions, field: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await generate(GenerateRequest((GOOD,), sampling))
    assert field in (refused.value.field or "")


@pytest.mark.parametrize("sequences", [(), (GOOD, GOOD), tuple(replace(GOOD, id=str(i)) for i in range(4))])
async def test_empty_doubled_and_oversized_batches_are_refused(sequences: tuple[Sequence, ...]) -> None:
    with pytest.raises(InvalidRequest):
        await generate(GenerateRequest(sequences))


async def test_a_good_call_is_answered() -> None:
    assert await generate(GenerateRequest((GOOD, replace(GOOD, id="t")))) == 2


async def test_a_long_salt_is_refused() -> None:
    with pytest.raises(InvalidRequest) as refused:
        await generate(GenerateRequest((GOOD,), cache_salt="x" * 257))
    assert refused.value.field == "cache_salt"


async def test_arguments_of_the_template_alone_reach_it() -> None:
    for wanted, message in (
        (GenerateRequest((GOOD,), inputs=TemplateInputs(arguments={"messages": []})), "may not hold messages"),
        (
            GenerateRequest(
                (Sequence("raw", (), raw_prompt=RawPrompt("Hello")),), inputs=TemplateInputs(arguments={"mood": 1})
            ),
            "takes no template_arguments",
        ),
    ):
        with pytest.raises(InvalidRequest, match=message) as refused:
            await generate(wanted)
        assert refused.value.field == "template_arguments"


@pytest.mark.parametrize("now", [-1.0, float("nan"), float("inf"), 1e15])
async def test_a_time_without_a_date_is_refused(now: float) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await generate(GenerateRequest((GOOD,), inputs=TemplateInputs(now)))
    assert refused.value.field == "now"
