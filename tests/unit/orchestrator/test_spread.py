"""What generation is told of a search among others, and what it says of who served it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from services.orchestrator.adapters.generation import GrpcGenerator
from services.orchestrator.core.values import Generate
from shared.pb import generation_pb2 as pb
from shared.pb import generation_pb2_grpc
from shared.records.evolution import EvolutionRequest, Message, Sampling
from shared.records.search import Search
from shared.rpc.balancing import Replicas
from shared.rpc.server import Server

REQUEST = EvolutionRequest("darwin", (Message("user", "Hello"),), Sampling(8), Search(), seed=1)


class Telling(generation_pb2_grpc.GenerationServiceServicer):  # type: ignore[misc]
    """Says how it was asked; counts otherwise than by ids where states are spread."""

    async def Generate(self, request: pb.GenerateRequest, context: Any) -> AsyncIterator[pb.GenerateResponse]:  # noqa: N802
        for sequence in request.sequences:
            kept = 8 if request.spread > 1 else None
            result = pb.GenerateResult(
                id=sequence.id,
                token_ids=[1, 2, 3],
                finish_reason=pb.FINISH_REASON_STOP,
                served_by=f"{request.spread} at {request.priority}",
                usage=pb.GenerateResult.Usage(generated_tokens=9, kept_tokens=kept),
            )
            yield pb.GenerateResponse(results=[result])


async def test_how_states_are_spread_and_who_served_them() -> None:
    server = Server([])
    server.register(generation_pb2_grpc.add_GenerationServiceServicer_to_server, Telling())
    server.set_ready()
    address = await server.start("127.0.0.1:0")
    async with Replicas("generation", address, generation_pb2_grpc.GenerationServiceStub) as generation:
        generator = GrpcGenerator(generation)
        effects = [Generate(1, 1, 0, "Hello", (), 8, 0, 1)]
        spread = replace(REQUEST, search=Search(spread=3), service_tier="priority")
        outcomes = [each for request in (REQUEST, spread) async for each in generator.generate(effects, request, 5)]
    await server.stop(0)
    assert [outcome.served_by for outcome in outcomes] == ["1 at 0", "3 at -1"]
    # Where ids stand for text, as many tokens are kept as whoever sampled them has counted.
    assert [outcome.kept_tokens for outcome in outcomes] == [4, 8]
