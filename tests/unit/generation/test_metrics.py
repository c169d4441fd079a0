import asyncio

import pytest

from services.generation import metrics
from services.generation.engine import Completion
from services.generation.generator import SequenceGenerator
from services.generation.messages import GenerateRequest, Sequence
from services.generation.servicer import GenerationServicer
from services.generation.simulated_engine import SimulatedEngine
from services.generation.validation import GenerationLimits
from shared.pb import generation_pb2 as pb
from shared.records.evolution import Message
from tests.metrics import Measured, measured

HELLO = (Message("user", "Describe a walk along a river."),)
ENGINE = SimulatedEngine(response_tokens=0)


async def test_a_call_is_measured_by_sequence_and_token() -> None:
    sequences = (Sequence("a", HELLO, max_new_tokens=7), Sequence("b", HELLO, (5, 6), max_new_tokens=3))
    with Measured() as found:
        generated = SequenceGenerator(ENGINE, GenerationLimits()).generate(GenerateRequest(sequences))
        results = [result async for together in generated for result in together]
    given = sum(result.usage.prompt_tokens for result in results) + 2
    assert found.of("darwin.generation.batch.size") == 2
    assert found.of("darwin.generation.batch.size.count") == 1
    assert found.of("darwin.generation.tokens", kind="sampled") == 10
    assert found.of("darwin.generation.tokens", kind="computed") == given
    model = {"gen_ai__request__model": "simulated", "gen_ai__provider__name": "simulated"}
    for name in ("request.duration", "time_to_first_token", "time_per_output_token"):
        assert found.of(f"gen_ai.server.{name}.count", **model) == 2
    assert found.of("darwin.generation.queue.duration.count") == 2
    assert [result.queue_seconds for result in results] == [0.0, 0.0]


def test_times_are_those_the_engine_tells() -> None:
    with Measured() as found:
        metrics.completed(ENGINE.info, 10, 2.0, Completion((1, 2, 3), 4, queue_seconds=0.5, first_token_seconds=1.0))
        metrics.completed(ENGINE.info, 10, 9.0, Completion((1, 2, 3), 0))
    assert found.of("gen_ai.server.request.duration") == 11
    assert found.of("gen_ai.server.time_to_first_token") == 1
    assert found.of("gen_ai.server.time_per_output_token") == pytest.approx(0.5)
    assert found.of("darwin.generation.queue.duration") == 0.5
    assert found.of("darwin.generation.queue.duration.count") == 1
    assert found.of("darwin.generation.tokens", kind="cached") == 4
    assert found.of("darwin.generation.tokens", kind="computed") == 16


class Busy(SimulatedEngine):
    """Begins two sequences, never ends any."""

    @property
    def waiting(self) -> int:
        return max(0, self.running - 2)

    async def complete(self, *_: object) -> Completion:
        self._running += 1
        try:
            return await asyncio.get_running_loop().create_future()
        finally:
            self._running -= 1


def request(*budgets: int) -> GenerateRequest:
    return GenerateRequest(tuple(Sequence(str(n), HELLO, max_new_tokens=n, lookahead_tokens=1) for n in budgets))


async def test_what_waits_for_the_engine_is_watched() -> None:
    engine = Busy()
    generator = SequenceGenerator(engine, GenerationLimits())
    metrics.watch(engine, generator)

    def seen() -> tuple[float, ...]:
        found = measured()
        states = (found["darwin.generation.sequences", (("state", state),)] for state in ("running", "waiting"))
        return (*states, found["darwin.generation.tokens.waiting", ()])

    async def hold(asked: GenerateRequest) -> None:
        async for _ in generator.generate(asked):
            pass

    assert seen() == (0, 0, 0)
    first = asyncio.ensure_future(hold(request(100, 1000)))
    await asyncio.sleep(0.01)
    assert seen() == (2, 0, 0)
    second = asyncio.ensure_future(hold(request(20, 3)))
    await asyncio.sleep(0.01)
    assert seen() == (2, 2, 21 + 4)
    for held in (first, second):
        held.cancel()
        await asyncio.wait({held})
    assert seen() == (0, 0, 0)


@pytest.mark.parametrize("seconds", [0.25, 0.0, None])
async def test_the_wait_for_the_engine_travels_where_it_is_known(seconds: float | None) -> None:
    class Waiting(SimulatedEngine):
        async def complete(self, *_: object) -> Completion:
            return Completion((1,), 0, queue_seconds=seconds)

    sequence = pb.GenerateRequest.Sequence(
        id="a", messages=[pb.GenerateRequest.Message(role="user", content="Hi")], max_new_tokens=1
    )
    request = pb.GenerateRequest(sequences=[sequence], sampling=pb.GenerateRequest.Sampling(top_p=1.0))
    servicer = GenerationServicer(SequenceGenerator(Waiting(), GenerationLimits()))
    (response,) = [response async for response in servicer.Generate(request, None)]  # type: ignore[arg-type]
    (result,) = response.results
    assert result.HasField("queue_seconds") == (seconds is not None)
    assert result.queue_seconds == (seconds or 0.0)
