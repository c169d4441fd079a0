from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from services.mutation.fidelity import SimulatedFidelity
from services.mutation.language_model import GenerationClient, RewriteCompletion, RewritePrompt
from services.mutation.messages import AcceptedMutant, MutationRequest, MutationSummary, TextSource
from services.mutation.mutator import InstructionMutator
from services.mutation.operators import JSON_SCHEMA, OPERATORS
from shared.errors import DeadlineExceeded, Internal, InvalidRequest, Unsupported
from shared.pb import generation_pb2 as pb
from shared.pb import generation_pb2_grpc
from shared.pb.generation_pb2_grpc import GenerationServiceStub
from shared.records.evolution import Message
from shared.rpc.balancing import Replicas
from shared.rpc.server import Server

PROMPTS = [RewritePrompt((Message("user", "a"),), 7, 1), RewritePrompt((Message("user", "b"),), 9, None)]


class Generation(generation_pb2_grpc.GenerationServiceServicer):  # type: ignore[misc]
    """Answers every sequence with its prompt in capitals, last one first, or as told."""

    def __init__(self) -> None:
        self.structured = True
        self.ids: list[str] | None = None
        self.hang = False
        self.fails: Exception | None = None
        self.cancelled = asyncio.Event()
        self.received: list[pb.GenerateRequest] = []

    async def GetModel(self, request: pb.GetModelRequest, context: object) -> pb.GetModelResponse:  # noqa: N802
        return pb.GetModelResponse(structured_output=self.structured)

    async def Generate(self, request: pb.GenerateRequest, context: object) -> AsyncIterator[pb.GenerateResponse]:  # noqa: N802
        self.received.append(request)
        if self.fails:
            raise self.fails
        for sequence in reversed(request.sequences):
            usage = pb.GenerateResult.Usage(prompt_tokens=3, generated_tokens=4)
            name, text = self.ids.pop() if self.ids else sequence.id, sequence.messages[0].content.upper()
            yield pb.GenerateResponse(results=[pb.GenerateResult(id=name, text=text, usage=usage)])
        if self.hang:
            try:
                await asyncio.sleep(60)
            finally:
                self.cancelled.set()


@pytest.fixture
def generation() -> Generation:
    return Generation()


@pytest.fixture
async def client(generation: Generation) -> AsyncIterator[GenerationClient]:
    server = Server([])
    server.register(generation_pb2_grpc.add_GenerationServiceServicer_to_server, generation)
    server.set_ready()
    async with Replicas("generation", await server.start("127.0.0.1:0"), GenerationServiceStub) as replicas:
        yield GenerationClient(replicas, temperature=0.3)
    await server.stop(0)


async def test_completions_come_back_by_index(client: GenerationClient, generation: Generation) -> None:
    completions = [completion async for completion in client.rewrite(PROMPTS, 5)]
    assert completions == [RewriteCompletion(1, "B", 3, 4), RewriteCompletion(0, "A", 3, 4)]
    (request,) = generation.received
    assert request.sampling.json_schema == JSON_SCHEMA
    assert request.sampling.temperature == 0.3
    assert [sequence.max_new_tokens for sequence in request.sequences] == [7, 9]
    assert [sequence.HasField("seed") for sequence in request.sequences] == [True, False]


async def test_plain_text_has_no_schema(client: GenerationClient, generation: Generation) -> None:
    assert len([completion async for completion in client.rewrite(PROMPTS, 5, json_schema="")]) == 2
    assert generation.received[0].sampling.json_schema == ""


async def test_no_schema_where_the_engine_has_no_structured_output(
    client: GenerationClient, generation: Generation
) -> None:
    generation.structured = False
    assert len([completion async for completion in client.rewrite(PROMPTS, 5)]) == 2
    assert generation.received[0].sampling.json_schema == ""


async def test_an_unknown_sequence_is_a_defect(client: GenerationClient, generation: Generation) -> None:
    generation.ids = ["7"]
    with pytest.raises(Internal, match="'7'"):
        await anext(client.rewrite(PROMPTS, 5))


@pytest.mark.parametrize(
    "error",
    [
        InvalidRequest("System role not supported", field="sequences[0].messages"),
        InvalidRequest("the prompt has 67 tokens", field="sequences[0].messages"),
        Unsupported("this engine has no structured output"),
        Internal("the endpoint answered without a text"),
        ValueError("a defect of the service's own"),
    ],
)
async def test_where_the_service_refuses_there_are_templates(
    client: GenerationClient, generation: Generation, error: Exception
) -> None:
    generation.fails = error
    mutator = InstructionMutator(
        client, SimulatedFidelity(), threshold=0.5, operators=tuple(OPERATORS.values()), max_tokens=96
    )
    request = MutationRequest((Message("user", "How do vaccines work?"),), "How do vaccines work?", 3)
    *mutants, summary = [event async for event in mutator.mutate(request, 5)]
    assert [mutant.source for mutant in mutants if isinstance(mutant, AcceptedMutant)] == [TextSource.TEMPLATE] * 3
    assert summary == MutationSummary(0, 0, unwritten=3)


async def test_the_deadline_is_passed_on(client: GenerationClient, generation: Generation) -> None:
    generation.hang = True
    with pytest.raises(DeadlineExceeded):
        [completion async for completion in client.rewrite(PROMPTS, 0.3)]


async def test_leaving_cancels_the_call(client: GenerationClient, generation: Generation) -> None:
    generation.hang = True
    stream = client.rewrite(PROMPTS, 30)
    await anext(stream)
    await stream.aclose()
    await asyncio.wait_for(generation.cancelled.wait(), 20)


async def test_a_service_that_is_away_is_waited_for_until_the_deadline() -> None:
    async with Replicas("generation", "127.0.0.1:1", GenerationServiceStub) as replicas:
        with pytest.raises(DeadlineExceeded):
            await anext(GenerationClient(replicas, 0.3).rewrite(PROMPTS, 0.5))
