"""The port to what embeds texts, and a stand-in without a model."""

import re
import zlib
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from shared.text.bert import Floats
from shared.text.encoder import EncodedText

_WIDTH, _LONGEST = 64, 256


class TextEncoder(Protocol):
    """Embeds texts; `shared.text.encoder.Encoder` is one. Blocking and thread-safe: call it off the event loop."""

    @property
    def width(self) -> int:
        """How many numbers a vector has."""
        ...

    @property
    def longest(self) -> int:
        """How many tokens of a text are read at most."""
        ...

    def encode(self, text: str) -> EncodedText:
        """The text's tokens, cut to what is read, and how many there are without the cut."""
        ...

    def embed_tokens(self, texts: Sequence[Sequence[int]]) -> Floats:
        """Unit vectors, float32, of shape [len(texts), width], of texts as token ids."""
        ...


class SimulatedEncoder:
    """Counts words, each in one of 64 places (Weinberger et al. 2009, arXiv 0902.2206); a word is a token."""

    width, longest = _WIDTH, _LONGEST

    def encode(self, text: str) -> EncodedText:
        ids = tuple(zlib.crc32(word.encode()) for word in re.findall(r"\w+", text.casefold()))
        return EncodedText(ids[:_LONGEST], len(ids))

    def embed_tokens(self, texts: Sequence[Sequence[int]]) -> Floats:
        vectors = np.zeros((len(texts), _WIDTH), np.float32)
        for vector, ids in zip(vectors, texts, strict=True):
            for word in ids:
                vector[word % _WIDTH] += 1 if word & 2**31 else -1
            # What holds no word, or words that cancel each other out, is a unit vector as well.
            vector[0] += not vector.any()
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors
