"""Whoever embeds for callers keeps this contract: the mutation service's real encoder over gRPC, and an endpoint."""

import asyncio
import math
from array import array
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio

from services.gateway.embeddings.embedder import Embedder
from services.gateway.embeddings.encoder import EncoderClient
from services.gateway.embeddings.endpoint import EndpointClient
from services.mutation import fidelity
from services.mutation.embedding import Embedder as MutationEmbedder
from services.mutation.encoders import SimulatedEncoder
from services.mutation.servicer import MutationServicer
from shared.errors import ContextLengthExceeded, InvalidRequest, Unavailable, Unsupported
from shared.pb import mutation_pb2, mutation_pb2_grpc
from shared.rpc.server import Server
from shared.rpc.tls import PLAIN
from shared.text.embedded_models import EMBEDDED_ENCODER
from tests.embeddings_endpoint import KEY, MODEL, FakeEndpoint, running

TEXTS = ["A puppy learns to sit.", "The dog is taught to sit down.", "Rivers of Peru", "Übung 練習 🙂", "word " * 200]


async def started(servicer: MutationServicer) -> Server:
    server = Server([mutation_pb2.DESCRIPTOR.services_by_name["MutationService"].full_name])
    server.register(mutation_pb2_grpc.add_MutationServiceServicer_to_server, servicer)
    await server.start("127.0.0.1:0")
    server.set_ready()
    return server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def encoder() -> AsyncIterator[str]:
    """The address of a server with the real encoder."""
    servicer = MutationServicer()
    servicer.embedder = MutationEmbedder(fidelity.load(EMBEDDED_ENCODER).encoder, EMBEDDED_ENCODER)
    server = await started(servicer)
    yield server.address
    await server.stop(0)
    servicer.embedder.close()


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with running(FakeEndpoint()) as url:
        yield url


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["encoder", "endpoint"])
async def embedder(request: pytest.FixtureRequest, encoder: str, endpoint: str) -> AsyncIterator[Embedder]:
    made: Embedder
    if request.param == "encoder":
        made = EncoderClient(encoder, EMBEDDED_ENCODER, PLAIN)
    else:
        made = EndpointClient(endpoint, KEY, MODEL, connections=4)
    yield made
    await made.close()


def cosine(one: bytes, other: bytes) -> float:
    left, right = array("f", one), array("f", other)
    dot = sum(a * b for a, b in zip(left, right, strict=True))
    return dot / math.hypot(*left) / math.hypot(*right)


@pytest.mark.asyncio(loop_scope="module")
class TestContract:
    async def test_vectors_are_in_the_order_of_their_inputs(self, embedder: Embedder) -> None:
        found = await embedder.embed(TEXTS, None, 60)
        assert len(found.vectors) == len(TEXTS)
        assert len({len(vector) for vector in found.vectors}) == 1
        alone = [await embedder.embed([text], None, 60) for text in TEXTS]
        assert found.tokens == sum(one.tokens for one in alone) > 200
        assert all(cosine(one.vectors[0], vector) > 0.9999 for one, vector in zip(alone, found.vectors, strict=True))

    async def test_the_nearer_meaning_is_nearer(self, embedder: Embedder) -> None:
        puppy, dog, rivers = (await embedder.embed(TEXTS[:3], None, 60)).vectors
        assert cosine(puppy, dog) > cosine(puppy, rivers)

    async def test_nothing_is_cut_without_a_word(self, embedder: Embedder) -> None:
        with pytest.raises(ContextLengthExceeded, match="maximum context length") as refused:
            await embedder.embed(["short", "word " * 300], None, 60)
        assert (refused.value.field or "").startswith("input")
        assert "word" not in refused.value.message

    async def test_its_own_size_may_be_named(self, embedder: Embedder) -> None:
        width = len((await embedder.embed(["x"], None, 60)).vectors[0]) // 4
        assert len((await embedder.embed(["x"], width, 60)).vectors[0]) == 4 * width
        with pytest.raises(InvalidRequest, match=f"dimensions must be {width} or left out") as refused:
            await embedder.embed(["x"], 4096, 60)
        assert refused.value.field == "dimensions"

    async def test_calls_at_once_get_their_own(self, embedder: Embedder) -> None:
        found = await asyncio.gather(*(embedder.embed([text], None, 60) for text in TEXTS * 4))
        assert [one.vectors[0] for one in found[: len(TEXTS)]] == [one.vectors[0] for one in found[-len(TEXTS) :]]


@pytest.mark.parametrize("ids", [[(1, 2)], [(1,), (2,)]])
async def test_the_encoder_takes_no_ids_of_another_tokenizer(ids: Any) -> None:
    client = EncoderClient("127.0.0.1:1", EMBEDDED_ENCODER, PLAIN)
    with pytest.raises(InvalidRequest, match="check_embedding_ctx_length=False") as refused:
        await client.embed(ids, None, 5)
    assert refused.value.field == "input"


async def test_an_encoder_of_another_name_is_not_taken_for_it() -> None:
    servicer = MutationServicer()
    servicer.embedder = MutationEmbedder(SimulatedEncoder(), "/models/other")
    server = await started(servicer)
    client = EncoderClient(server.address, EMBEDDED_ENCODER, PLAIN)
    with pytest.raises(Unsupported, match="embeds by other, not by all-minilm-l6-v2"):
        await client.embed(["x"], None, 10)
    named = EncoderClient(server.address, "other", PLAIN)
    assert (await named.embed(["one word", "x"], 64, 10)).tokens == 3
    with pytest.raises(InvalidRequest, match="must not be empty") as refused:
        await named.embed(["x", ""], None, 10)
    assert refused.value.field == "input.1"
    for each in (client, named):
        await each.close()
    await server.stop(0)
    servicer.embedder.close()


async def test_an_encoder_that_is_away_is_a_503(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.gateway.embeddings.encoder._PATIENCE_S", 0.2)
    client = EncoderClient("127.0.0.1:1", EMBEDDED_ENCODER, PLAIN)
    for _ in range(2):
        with pytest.raises(Unavailable, match="no answer from mutation"):
            await client.embed(["x"], None, 30)
    await client.close()
