"""What callers are told of an encoder that fails."""

from __future__ import annotations

from typing import Any

import pytest

from services.gateway.embeddings.encoder import EncoderClient
from shared.errors import DarwinError, InvalidRequest, Overloaded, Unavailable
from shared.pb import mutation_pb2 as pb
from shared.pb import mutation_pb2_grpc
from shared.rpc.server import Server

INSIDE = "ipv4:10.0.3.7:50052 (/srv/encoder)"


class Failing(mutation_pb2_grpc.MutationServiceServicer):  # type: ignore[misc]
    def __init__(self, error: Exception) -> None:
        self.error = error

    async def Embed(self, request: pb.EmbedRequest, context: Any) -> pb.EmbedResponse:  # noqa: N802
        raise self.error


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Unavailable(INSIDE), Unavailable.outside),
        (Overloaded(INSIDE), Overloaded.outside),
        (InvalidRequest("too many texts", field="texts"), "too many texts"),
    ],
)
async def test_nothing_of_its_inside_is_told(error: DarwinError, told: str) -> None:
    server = Server([])
    server.register(mutation_pb2_grpc.add_MutationServiceServicer_to_server, Failing(error))
    encoder = EncoderClient(await server.start("127.0.0.1:0"), "")
    server.set_ready()
    try:
        with pytest.raises(type(error)) as caught:
            await encoder.embed(["Hello"], None, 20.0)
    finally:
        await encoder.close()
        await server.stop(0)
    assert caught.value.message == told
