"""The mutation service's encoder, for the embeddings of instructions."""

from typing import Any

import grpc

from shared.pb import mutation_pb2 as pb
from shared.rpc.balancing import Replicas
from shared.rpc.channel import from_rpc_error
from shared.rpc.metrics import calling


class GrpcEncoder:
    """Embeds through `darwin.v1.MutationService`."""

    def __init__(self, replicas: Replicas[Any]) -> None:
        self._replicas = replicas

    async def vector(self, text: str, timeout_s: float) -> bytes:
        """The text's unit vector, as little-endian float32 numbers; raises errors of `shared.errors`."""
        request = pb.EmbedRequest(texts=[text])
        with calling("MutationService/Embed"):
            try:
                response = await self._replicas.call(
                    lambda stub, **options: stub.Embed(request, **options), 1, timeout_s
                )
            except grpc.RpcError as error:
                raise from_rpc_error(error) from error
        found: bytes = response.embeddings[0].vector
        return found
