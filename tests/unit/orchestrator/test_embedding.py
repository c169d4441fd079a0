"""Scores with embeddings, where a search wants survivors to differ."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

from services.orchestrator.adapters.embedding import EmbeddingScorer, GrpcEncoder
from services.orchestrator.core.values import BASE, Score, Scored
from shared.pb import mutation_pb2 as pb
from shared.pb import mutation_pb2_grpc
from shared.records.evolution import EvolutionRequest, Message, Sampling
from shared.records.search import Search
from shared.rpc.balancing import Replicas
from shared.rpc.server import Server

REQUEST = EvolutionRequest("darwin", (Message("user", "Where to?"),), Sampling(8), Search(), seed=1)


class Embedding(mutation_pb2_grpc.MutationServiceServicer):  # type: ignore[misc]  # generated code has no types
    """Embeds in two dimensions; notes what."""

    def __init__(self) -> None:
        self.embedded: list[str] = []

    async def Embed(self, request: pb.EmbedRequest, context: Any) -> pb.EmbedResponse:  # noqa: N802  # the wire's name
        assert request.cut
        self.embedded += request.texts
        vectors = [struct.pack("<2f", *((1.0, 0.0) if text == "north" else (0.6, 0.8))) for text in request.texts]
        return pb.EmbedResponse(embeddings=[pb.EmbedResponse.Embedding(vector=each) for each in vectors], width=2)


class Scoring:
    """Gives each state its number as its reward."""

    async def score(
        self, effects: Sequence[Score], request: EvolutionRequest, timeout_s: float
    ) -> AsyncIterator[Scored]:
        for effect in effects:
            yield Scored(effect.cycle, effect.round, effect.state, float(effect.state))


async def test_the_texts_of_states_that_are_compared_are_embedded_where_the_search_wants_it() -> None:
    embedding, server = Embedding(), Server([])
    server.register(mutation_pb2_grpc.add_MutationServiceServicer_to_server, embedding)
    server.set_ready()
    address = await server.start("127.0.0.1:0")
    effects = [Score(1, 1, state, text, False) for state, text in enumerate(("north", "", "up"))]
    effects += [Score(1, 1, BASE, "base", False), Score(1, 1, 4, "last", True)]
    found: list[list[tuple[float, str]]] = []
    async with Replicas("mutation", address, mutation_pb2_grpc.MutationServiceStub) as mutation:
        scorer = EmbeddingScorer(Scoring(), GrpcEncoder(mutation))
        for search in (Search(), Search(survivors=2, diversity=0.5)):
            scored = scorer.score(effects, replace(REQUEST, search=search), 5)
            found.append([(outcome.reward, outcome.embedding) async for outcome in scored])
    await server.stop(0)
    rewards = [0.0, 1.0, 2.0, -1.0, 4.0]
    assert found[0] == [(reward, "") for reward in rewards]
    assert found[1] == list(zip(rewards, ("7f00", "", "5f7f", "", ""), strict=True))
    assert embedding.embedded == ["north", "up"]
