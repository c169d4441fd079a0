"""Partial results of a call that is lost: another one goes on from there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc

from services.orchestrator.adapters.generation import GrpcGenerator
from services.orchestrator.core.values import Generate
from shared.pb import generation_pb2 as pb
from shared.pb import generation_pb2_grpc
from shared.records.evolution import EvolutionRequest, Message, Sampling
from shared.records.search import Search
from shared.rpc.balancing import Replicas
from shared.rpc.server import Server
from tests.integration.processes import until

REQUEST = EvolutionRequest("best-of-n", (Message("user", "Hello"),), Sampling(8), Search(), seed=1)


class Losing(generation_pb2_grpc.GenerationServiceServicer):  # type: ignore[misc]
    """Tells of two tokens at the first call and loses it; ends the response at the second."""

    def __init__(self, asked: list[pb.GenerateRequest.Sequence]) -> None:
        self._asked = asked

    async def Generate(self, request: pb.GenerateRequest, context: Any) -> AsyncIterator[pb.GenerateResponse]:  # noqa: N802
        assert request.partial_results
        (sequence,) = request.sequences
        self._asked.append(sequence)
        usage = pb.GenerateResult.Usage(prompt_tokens=3, generated_tokens=2)
        result = pb.GenerateResult(
            id=sequence.id, token_ids=[7, 8], text="so far", finish_reason=pb.FINISH_REASON_LENGTH, usage=usage
        )
        if len(self._asked) == 1:
            result.partial = True
            yield pb.GenerateResponse(results=[result])
            await context.abort(grpc.StatusCode.UNAVAILABLE, "lost")
        yield pb.GenerateResponse(results=[result])


async def test_a_lost_call_goes_on_elsewhere_from_its_partial_results() -> None:
    asked: list[pb.GenerateRequest.Sequence] = []
    servers = [Server([]), Server([])]
    for server in servers:
        server.register(generation_pb2_grpc.add_GenerationServiceServicer_to_server, Losing(asked))
        server.set_ready()
    addresses = ",".join([await server.start("127.0.0.1:0") for server in servers])
    async with Replicas("generation", addresses, generation_pb2_grpc.GenerationServiceStub) as replicas:
        await until(lambda: len(replicas.members.serving) == 2, 10)
        effect = Generate(1, 1, 0, "Hello", (5,), 4, 2, 1)
        outcomes = [outcome async for outcome in GrpcGenerator(replicas).generate([effect], REQUEST, 10)]
    for server in servers:
        await server.stop(0)
    assert [(outcome.partial, outcome.token_ids, outcome.generated_tokens) for outcome in outcomes] == [
        (True, (7, 8), 2),
        (False, (7, 8), 2),
    ]
    first, again = asked
    assert (list(first.response_token_ids), first.max_new_tokens, first.lookahead_tokens) == ([5], 4, 2)
    assert (list(again.response_token_ids), again.max_new_tokens, again.lookahead_tokens) == ([5, 7, 8], 2, 2)
