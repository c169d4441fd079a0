"""Scores with the embeddings of what is scored, for searches that want survivors to differ."""

import struct
from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc

from services.orchestrator.core.frozen import changed
from services.orchestrator.core.values import BASE, Score, Scored
from services.orchestrator.ports import Scorer
from shared.errors import Internal
from shared.methods import METHODS
from shared.pb import mutation_pb2 as pb
from shared.records.evolution import EvolutionRequest
from shared.rpc.balancing import Replicas
from shared.rpc.channel import from_rpc_error
from shared.rpc.metrics import calling

_MOST = 127


class EmbeddingScorer:
    """Scores by another scorer, and has the mutation service's encoder embed the texts of states that may be compared,
    where the search has a `diversity`. The encoder reads the beginning of a text that is too long for it.
    """

    def __init__(self, scorer: Scorer, mutation: Replicas[Any]) -> None:
        self._scorer = scorer
        self._mutation = mutation

    async def score(
        self, effects: Sequence[Score], request: EvolutionRequest, timeout_s: float
    ) -> AsyncIterator[Scored]:
        embeddings: dict[int, str] = {}
        if request.search.diversity and METHODS[request.method].replaces:
            compared = [each for each in effects if each.text and each.state != BASE and not each.final]
            embeddings = await self._embeddings(compared, timeout_s) if compared else {}
        async for outcome in self._scorer.score(effects, request, timeout_s):
            yield changed(outcome, embedding=embeddings.get(outcome.state, ""))

    async def _embeddings(self, effects: Sequence[Score], timeout_s: float) -> dict[int, str]:
        """By state."""
        message = pb.EmbedRequest(texts=[effect.text for effect in effects], cut=True)

        def begin(stub: Any, **options: Any) -> Any:
            return stub.Embed(message, **options)

        with calling("MutationService/Embed"):
            try:
                response = await self._mutation.call(begin, len(effects), timeout_s)
            except grpc.RpcError as error:
                raise from_rpc_error(error) from error
        if len(response.embeddings) != len(effects):
            raise Internal("the mutation service returned other embeddings than were asked for")
        found = zip(effects, response.embeddings, strict=True)
        return {effect.state: _kept(embedding.vector, response.width) for effect, embedding in found}


def _kept(vector: bytes, width: int) -> str:
    """A vector of little-endian numbers in float32, as `core.diversity` has it."""
    numbers = struct.unpack(f"<{width}f", vector)
    scale = _MOST / (max(map(abs, numbers), default=0.0) or 1.0)
    return struct.pack(f"{width}b", *(round(number * scale) for number in numbers)).hex()
