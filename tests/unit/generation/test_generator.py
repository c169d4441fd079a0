import asyncio

import pytest

from services.generation.engine import Completion, TokenSequence
from services.generation.generator import SequenceGenerator
from services.generation.messages import GenerateRequest, Sequence, SequenceResult
from services.generation.simulated_engine import SimulatedEngine
from services.generation.validation import GenerationLimits
from shared.errors import Internal
from shared.records.evolution import Message

HELLO = (Message("user", "Hello"),)


class Stepping(SimulatedEngine):
    """Completes a sequence of n tokens at its nth step, or fails there where it is the step to fail at."""

    def __init__(self, fails_at: int = 0) -> None:
        super().__init__(response_tokens=0)
        self.fails_at = fails_at
        self.given: list[tuple[int, asyncio.Future[None]]] = []

    async def complete(self, sequence: TokenSequence) -> Completion:
        ending: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.given.append((sequence.max_new_tokens, ending))
        await ending
        return await super().complete(sequence)

    def step(self, number: int) -> None:
        for ending in (ending for length, ending in self.given if length == number and not ending.done()):
            if number == self.fails_at:
                ending.set_exception(Internal("out of memory"))
            else:
                ending.set_result(None)


async def collect(engine: Stepping, *lengths: int) -> list[list[str]]:
    sequences = tuple(Sequence(str(i), HELLO, max_new_tokens=length) for i, length in enumerate(lengths))
    found: list[list[SequenceResult]] = []

    async def run() -> None:
        async for results in SequenceGenerator(engine, GenerationLimits()).generate(GenerateRequest(sequences)):
            found.append(results)

    running = asyncio.ensure_future(run())
    for number in sorted(set(lengths)):
        await asyncio.sleep(0.005)
        engine.step(number)
    try:
        await running
    except Internal:
        found.append([])
    return [[result.id for result in results] for results in found]


async def test_what_completes_at_one_step_comes_together() -> None:
    assert await collect(Stepping(), 2, 1, 2, 3, 1) == [["1", "4"], ["0", "2"], ["3"]]


@pytest.mark.parametrize(("fails_at", "before"), [(1, []), (2, [["1"]])])
async def test_a_sequence_that_fails_ends_the_call_after_what_completed_before(
    fails_at: int, before: list[list[str]]
) -> None:
    assert await collect(Stepping(fails_at), 2, 1, 3) == [*before, []]
