"""Callers' texts are embedded in their order, in batches; what cannot be is refused before anything is computed."""

import asyncio
import math
from array import array
from collections.abc import AsyncIterator, Sequence

import pytest

from services.mutation import embedding
from services.mutation.embedding import MAX_TEXTS, Embedder
from services.mutation.encoders import SimulatedEncoder
from services.mutation.servicer import MutationServicer
from shared.errors import ContextLengthExceeded, InvalidRequest, Unavailable, Unsupported
from shared.pb import mutation_pb2 as pb
from shared.text.bert import Floats
from tests.metrics import Measured


class Counting(SimulatedEncoder):
    """Notes how many texts each batch had."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def embed_tokens(self, texts: Sequence[Sequence[int]]) -> Floats:
        self.batches.append(len(texts))
        return super().embed_tokens(texts)


@pytest.fixture
def encoder() -> Counting:
    return Counting()


@pytest.fixture
async def embedder(encoder: Counting) -> AsyncIterator[Embedder]:
    made = Embedder(encoder, "/models/counting/")
    yield made
    made.close()


async def test_vectors_come_in_the_order_of_their_texts(embedder: Embedder, encoder: Counting) -> None:
    texts = [f"word{number} " * (1 + number % 200) for number in range(100)]
    found = await embedder.embed(texts)
    assert [each.tokens for each in found] == [1 + number % 200 for number in range(100)]
    for text, each in zip(texts[::17], found[::17], strict=True):
        (alone,) = await embedder.embed([text])
        assert alone == each
    vector = array("f", found[3].vector)
    assert len(vector) == embedder.width
    assert math.isclose(math.hypot(*vector), 1, abs_tol=1e-6)
    assert encoder.batches[:3] == [63, 26, 11]


async def test_the_beginning_of_a_text_that_is_too_long_is_read_where_that_will_do(embedder: Embedder) -> None:
    words = [f"word{number}" for number in range(300)]
    whole, cut = await embedder.embed([" ".join(words[:256]), " ".join(words)], cut=True)
    assert cut == whole
    assert cut.tokens == 256


async def test_a_text_without_words_is_a_unit_vector(embedder: Embedder) -> None:
    (found,) = await embedder.embed(["!"])
    assert math.hypot(*array("f", found.vector)) == 1


async def test_calls_take_turns(embedder: Embedder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "_BATCH_TOKENS", 1)
    long = asyncio.ensure_future(embedder.embed(["one"] * MAX_TEXTS))
    await asyncio.sleep(0.01)
    await embedder.embed(["another"])
    assert not long.done()
    long.cancel()
    await asyncio.wait([long])


async def test_a_text_that_is_too_long_is_refused_and_named(embedder: Embedder, encoder: Counting) -> None:
    with pytest.raises(ContextLengthExceeded, match=r"maximum context length is 256 tokens.* 257 tokens") as refused:
        await embedder.embed(["short", "word " * 257])
    assert refused.value.field == "texts.1"
    assert encoder.batches == []
    assert len(await embedder.embed(["word " * 256])) == 1


@pytest.mark.parametrize(
    ("texts", "field"),
    [([], "texts"), (["x"] * (MAX_TEXTS + 1), "texts"), (["x" * 1_000_001] * 2, "texts"), (["x", ""], "texts.1")],
)
async def test_what_is_no_list_of_texts_is_refused(embedder: Embedder, texts: list[str], field: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await embedder.embed(texts)
    assert refused.value.field == field


async def test_another_model_or_size_is_refused(embedder: Embedder, encoder: Counting) -> None:
    assert embedder.name == "counting"
    with pytest.raises(Unsupported, match="embeds by counting, not by other: set DARWIN_GATEWAY_EMBEDDINGS_MODEL"):
        await embedder.embed(["x"], model="other")
    with pytest.raises(InvalidRequest, match="dimensions must be 64 or left out") as refused:
        await embedder.embed(["x"], dimensions=32)
    assert refused.value.field == "dimensions"
    assert encoder.batches == []
    assert await embedder.embed(["x"], "counting", 64) == await embedder.embed(["x"])


async def test_the_servicer_embeds_once_it_is_ready(embedder: Embedder) -> None:
    servicer, request = MutationServicer(), pb.EmbedRequest(texts=["the sea", "a"], model="counting")
    with pytest.raises(Unavailable, match="still loading its encoder"):
        await servicer.Embed(request, None)  # type: ignore[arg-type]
    servicer.embedder = embedder
    with Measured() as measured:
        answer = await servicer.Embed(request, None)  # type: ignore[arg-type]
    assert [each.tokens for each in answer.embeddings] == [2, 1]
    assert (answer.model, answer.width) == ("counting", 64)
    assert all(len(each.vector) == 256 for each in answer.embeddings)
    assert measured.of("darwin.mutation.embedded_tokens") == 3
