"""The mutation service's encoder. Beside `profiles.reward`, this module alone of the gateway's speaks gRPC."""

import asyncio
import logging
import re
from collections.abc import Sequence
from typing import Any

import grpc

from services.gateway.embeddings.embedder import Embeddings, TokenIds
from shared.errors import Internal, InvalidRequest
from shared.pb import mutation_pb2 as pb
from shared.pb.mutation_pb2_grpc import MutationServiceStub
from shared.rpc.balancing import Replicas
from shared.rpc.channel import from_rpc_error
from shared.rpc.metrics import calling
from shared.rpc.tls import Transport

log = logging.getLogger(__name__)

# A replica that is just being started again is waited for; longer, and callers had better come back.
_PATIENCE_S = 3.0
_BYTES_OF_A_NUMBER = 4


class EncoderClient:
    """Embeds by the encoder of the mutation service at an address (host:port, or several joined by commas).

    `model` is the encoder's name: vectors of another one are never passed off as its own.

    Raises:
        SettingsError: `target` is no address, or plain text would leave this machine.
    """

    def __init__(self, target: str, model: str, transport: Transport | None = None) -> None:
        self._replicas = Replicas("mutation", target, MutationServiceStub, transport or Transport())
        self._model = model

    async def close(self) -> None:
        await self._replicas.members.close()

    async def embed(
        self, inputs: Sequence[str] | Sequence[TokenIds], dimensions: int | None, timeout_s: float
    ) -> Embeddings:
        texts = [_text(each) for each in inputs]
        ends_at = asyncio.get_running_loop().time() + timeout_s
        with calling("MutationService/Embed"):
            await self._replicas.wait_for_any(min(timeout_s, _PATIENCE_S))
            request = pb.EmbedRequest(texts=texts, model=self._model, dimensions=dimensions or 0)
            try:
                response = await self._replicas.call(
                    lambda stub, **options: stub.Embed(request, **options),
                    len(texts),
                    ends_at - asyncio.get_running_loop().time(),
                )
            except grpc.RpcError as error:
                failure = from_rpc_error(error, _callers_field)
                if failure.outside:
                    log.warning("the encoder failed: %s", failure.message)
                    raise type(failure)(failure.outside) from error
                raise failure from error
        return _embeddings(response, len(texts))


def _text(given: str | TokenIds) -> str:
    if isinstance(given, str):
        return given
    raise InvalidRequest(
        "input must be text: the encoder has a tokenizer of its own, to which the ids of another say nothing. With "
        "LangChain's OpenAIEmbeddings set check_embedding_ctx_length=False, which sends text",
        field="input",
    )


def _callers_field(field: str) -> str:
    return re.sub(r"^texts\b", "input", field)


def _embeddings(response: Any, wanted: int) -> Embeddings:
    vectors = tuple(each.vector for each in response.embeddings)
    size = response.width * _BYTES_OF_A_NUMBER
    if len(vectors) != wanted or not size or any(len(vector) != size for vector in vectors):
        raise Internal("the mutation service returned other vectors than were asked for")
    return Embeddings(vectors, sum(each.tokens for each in response.embeddings))
