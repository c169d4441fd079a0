"""Partial results: what they hold, and when there are none."""

import asyncio
from dataclasses import replace

import pytest

from services.generation.engine import Completion, TokenSequence
from services.generation.generator import SequenceGenerator
from services.generation.messages import GenerateRequest, SamplingOptions, Sequence, SequenceResult
from services.generation.simulated_engine import SimulatedEngine
from services.generation.validation import GenerationLimits
from shared.records.evolution import Message

SEQUENCE = Sequence("s", (Message("user", "Hello"),), max_new_tokens=8, seed=1)


class Telling(SimulatedEngine):
    """Tells of `tells` tokens of a sequence, and ends it once nothing more has been asked of it for 0.15 s."""

    def __init__(self, tells: int, response_tokens: int = 0) -> None:
        super().__init__(response_tokens=response_tokens)
        self.tells = tells

    async def complete(self, sequence: TokenSequence) -> Completion:
        completion = await super().complete(replace(sequence, progress=None))
        if sequence.progress is not None:
            sequence.progress(completion.token_ids[: self.tells], completion.logprobs[: self.tells])
            await asyncio.sleep(0.15)
        return completion


async def results(
    engine: SimulatedEngine, sequence: Sequence = SEQUENCE, partial: bool = True, **sampling: object
) -> list[SequenceResult]:
    options = SamplingOptions(temperature=0.5, **sampling)  # type: ignore[arg-type]
    request = GenerateRequest((sequence,), options, partial_results=partial)
    generated = SequenceGenerator(engine, GenerationLimits()).generate(request)
    return [result async for together in generated for result in together]


async def test_what_is_known_comes_before_the_rest() -> None:
    first, last = await results(Telling(3), logprobs=0)
    (whole,) = await results(Telling(3), partial=False, logprobs=0)
    assert (first.partial, last.partial, whole.partial) == (True, False, False)
    assert (len(first.token_ids), len(first.logprobs), first.usage.generated_tokens) == (3, 3, 3)
    assert first.token_ids + last.token_ids == whole.token_ids
    assert first.logprobs + last.logprobs == whole.logprobs
    assert last.usage.generated_tokens == 5
    assert first.text == " ".join(whole.text.split()[:3])
    assert (last.text, last.finish) == (whole.text, whole.finish)


async def test_a_token_is_left_to_ask_for_and_lookahead_is_counted_only() -> None:
    first, last = await results(Telling(10), replace(SEQUENCE, lookahead_tokens=4))
    assert (len(first.token_ids), first.usage.generated_tokens) == (7, 10)
    assert (len(last.token_ids), last.usage.generated_tokens) == (1, 2)


async def test_from_a_partial_result_a_sequence_goes_on_as_it_would_have() -> None:
    first, last = await results(Telling(5))
    (rest,) = await results(Telling(0), replace(SEQUENCE, response_token_ids=first.token_ids, max_new_tokens=3))
    assert rest.token_ids == last.token_ids


async def test_the_end_of_sequence_and_a_stop_string_come_with_the_last_result() -> None:
    first, last = await results(Telling(1, response_tokens=1))
    assert (first.token_ids, first.text, first.usage.generated_tokens) == ((), "", 1)
    assert (last.token_ids, last.finish, last.usage.generated_tokens) == ((), "stop", 0)
    (whole,) = await results(Telling(0), partial=False)
    word = whole.text.split()[1]
    (stopped,) = await results(Telling(5), stop=(word,))
    assert (stopped.partial, stopped.finish) == (False, "stop")


@pytest.mark.parametrize("asked", [False, True])
async def test_none_come_unasked_or_where_the_response_could_not_be_continued(asked: bool) -> None:
    engine = Telling(3)
    engine.info = replace(engine.info, cannot_continue=frozenset({"presence_penalty"}))
    (only,) = await results(engine, partial=asked, presence_penalty=0.5)
    # The caller is told that it cannot go on with what its own limit has cut.
    assert (only.partial, only.finish, len(only.token_ids)) == (False, "context", 8)
