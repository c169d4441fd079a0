"""Embeds callers' texts by the encoder that compares meanings; calls take turns, a batch of texts at a time."""

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import PurePath

from services.mutation.encoders import TextEncoder
from shared.errors import ContextLengthExceeded, InvalidRequest, Unsupported
from shared.telemetry.metrics import METER, SIZES
from shared.text.encoder import EncodedText

MAX_TEXTS = 2048
MAX_CHARACTERS = 2_000_000
# How many tokens are computed at once. It bounds the memory of their states, and how long another call waits its turn.
_BATCH_TOKENS = 2048

_TOKENS = METER.create_counter(
    "darwin.mutation.embedded_tokens", "{token}", "Tokens of texts that callers had embedded."
)
_BATCH = METER.create_histogram(
    "darwin.mutation.embedding_batch", "{text}", "Texts embedded at once.", explicit_bucket_boundaries_advisory=SIZES
)


@dataclass(frozen=True)
class Embedding:
    """A text's unit vector as little-endian float32 numbers, and how many tokens were read for it."""

    vector: bytes
    tokens: int


class Embedder:
    """Embeds on one thread of its own, so that what searches wait for is never queued behind it.

    `name` is the encoder's, as settings name it; of a folder its last part.
    """

    def __init__(self, encoder: TextEncoder, name: str) -> None:
        self._encoder = encoder
        self._thread = ThreadPoolExecutor(1, "embed")
        self.name = PurePath(name).name or name

    @property
    def width(self) -> int:
        """How many numbers a vector has."""
        return self._encoder.width

    async def embed(
        self, texts: Sequence[str], model: str = "", dimensions: int = 0, cut: bool = False
    ) -> list[Embedding]:
        """The embeddings of 1 to `MAX_TEXTS` texts, in their order. A call that is cancelled ends after its batch.
        With `cut`, the encoder reads the beginning of a text that is longer than it can read.

        Raises:
            ContextLengthExceeded: a text is longer than the encoder reads, without `cut`; none is cut without a word.
            InvalidRequest: there is no text, there are too many, one is empty, or `dimensions` is not the width.
            Unsupported: `model` is given, and is not this encoder's name.
        """
        if model and model != self.name:
            raise Unsupported(
                f"the mutation service embeds by {self.name}, not by {model}: set DARWIN_GATEWAY_EMBEDDINGS_MODEL",
                field="model",
            )
        if dimensions not in (0, self.width):
            raise InvalidRequest(
                f"dimensions must be {self.width} or left out: {self.name} gives vectors of that size, and was not "
                "trained for shorter ones",
                field="dimensions",
            )
        _check(texts)
        loop = asyncio.get_running_loop()
        found: list[Embedding] = []
        for batch in _batches(await loop.run_in_executor(self._thread, self._read, texts, cut)):
            found += await loop.run_in_executor(self._thread, self._embed, batch)
        return found

    def close(self) -> None:
        """Ends the thread once it has nothing to do."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _read(self, texts: Sequence[str], cut: bool) -> list[EncodedText]:
        read, longest = [], self._encoder.longest
        for number, text in enumerate(texts):
            encoded = self._encoder.encode(text)
            if encoded.tokens > longest and not cut:
                raise ContextLengthExceeded(
                    f"This model's maximum context length is {longest} tokens. However, you requested {encoded.tokens} "
                    "tokens in one input. Please reduce the length of the input, or send it in parts.",
                    field=f"texts.{number}",
                )
            read.append(EncodedText(encoded.ids, min(encoded.tokens, longest)))
        return read

    def _embed(self, batch: Sequence[EncodedText]) -> list[Embedding]:
        vectors = self._encoder.embed_tokens([text.ids for text in batch]).astype("<f4", copy=False)
        _BATCH.record(len(batch))
        _TOKENS.add(sum(text.tokens for text in batch))
        return [Embedding(vector.tobytes(), text.tokens) for vector, text in zip(vectors, batch, strict=True)]


def _check(texts: Sequence[str]) -> None:
    if not 1 <= len(texts) <= MAX_TEXTS:
        raise InvalidRequest(f"texts must be 1 to {MAX_TEXTS}, not {len(texts)}", field="texts")
    if (characters := sum(map(len, texts))) > MAX_CHARACTERS:
        raise InvalidRequest(
            f"texts must have at most {MAX_CHARACTERS} characters together, not {characters}", field="texts"
        )
    for number, text in enumerate(texts):
        if not text:
            raise InvalidRequest("a text must not be empty", field=f"texts.{number}")


def _batches(read: Sequence[EncodedText]) -> Iterator[list[EncodedText]]:
    """Texts in their order, as many together as hold `_BATCH_TOKENS`, and one at least."""
    batch: list[EncodedText] = []
    tokens = 0
    for text in read:
        if batch and tokens + text.tokens > _BATCH_TOKENS:
            yield batch
            batch, tokens = [], 0
        batch.append(text)
        tokens += text.tokens
    yield batch
