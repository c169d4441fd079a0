"""The mutation service's encoder: embeddings of instructions, and of what is scored where survivors should differ."""

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


class GrpcEncoder:
    """Embeds through `darwin.v1.MutationService`; raises errors of `shared.errors`."""

    def __init__(self, replicas: Replicas[Any]) -> None:
        self._replicas = replicas

    async def vector(self, text: str, timeout_s: float) -> bytes:
        """The text's unit vector, as little-endian float32 numbers."""
        found: bytes = (await self.response([text], timeout_s)).embeddings[0].vector
        return found

    async def response(self, texts: Sequence[str], timeout_s: float, *, cut: bool = False) -> pb.EmbedResponse:
        """An embedding for each text, in order. With `cut`, the beginning is embedded of a text that is too long."""
        message = pb.EmbedRequest(texts=texts, cut=cut)

        def begin(stub: Any, **options: Any) -> Any:
            return stub.Embed(message, **options)

        with calling("MutationService/Embed"):
            try:
                response: pb.EmbedResponse = await self._replicas.call(begin, len(texts), timeout_s)
            except grpc.RpcError as error:
                raise from_rpc_error(error) from error
        if len(response.embeddings) != len(texts):
            raise Internal("the mutation service returned other embeddings than were asked for")
        return response


class EmbeddingScorer:
    """Scores by another scorer, and embeds the texts of states that may be compared, where the search has a
    `diversity`. The encoder reads the beginning of a text that is too long for it.
    """

    def __init__(self, scorer: Scorer, encoder: GrpcEncoder) -> None:
        self._scorer = scorer
        self._encoder = encoder

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
        response = await self._encoder.response([effect.text for effect in effects], timeout_s, cut=True)
        found = zip(effects, response.embeddings, strict=True)
        return {effect.state: _kept(embedding.vector, response.width) for effect, embedding in found}


def _kept(vector: bytes, width: int) -> str:
    """A vector of little-endian numbers in float32, as `core.diversity` has it."""
    numbers = struct.unpack(f"<{width}f", vector)
    scale = _MOST / (max(map(abs, numbers), default=0.0) or 1.0)
    return struct.pack(f"{width}b", *(round(number * scale) for number in numbers)).hex()
