"""How close a rewrite's meaning is to the original's: cosine similarity of sentence embeddings."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from math import sqrt
from typing import Protocol

from services.mutation.encoders import SimulatedEncoder, TextEncoder
from shared.text.encoder import Encoder

SIMULATED = "simulated"

Compare = Callable[[Sequence[str]], list[float]]
"""The similarities of texts to one original, each in [-1, 1], in the order of the texts."""


class Fidelity(Protocol):
    """Blocking and thread-safe: call it off the event loop. `encoder` is what it embeds by."""

    @property
    def encoder(self) -> TextEncoder: ...

    def compare_to(self, original: str) -> Compare:
        """A comparison with `original`, which is embedded once."""
        ...


class EncoderFidelity:
    """Cosine of embeddings by `shared.text.encoder.Encoder`, which reads the first 256 tokens of a text."""

    def __init__(self, model: str) -> None:
        self.encoder = Encoder(model)

    def compare_to(self, original: str) -> Compare:
        anchor = self.encoder.embed([original])[0]

        def compare(texts: Sequence[str]) -> list[float]:
            return [float(cosine) for cosine in self.encoder.embed(texts) @ anchor]

        return compare


class SimulatedFidelity:
    """Cosine of word counts: needs no model, starts at once, for fast tests. It takes synonyms for other meanings."""

    def __init__(self) -> None:
        self.encoder = SimulatedEncoder()

    def compare_to(self, original: str) -> Compare:
        anchor = _counts(original)
        return lambda texts: [_cosine(_counts(text), anchor) for text in texts]


def load(encoder: str) -> Fidelity:
    """The fidelity measure of an encoder's name.

    Raises:
        NotFound: there is no such encoder.
        Unsupported: it is of an unknown kind.
    """
    return SimulatedFidelity() if encoder == SIMULATED else EncoderFidelity(encoder)


def _counts(text: str) -> Counter[str]:
    return Counter(re.findall(r"\w+", text.casefold()))


def _cosine(left: Counter[str], right: Counter[str]) -> float:
    dot = sum(count * right[word] for word, count in left.items())
    norms = sqrt(sum(c * c for c in left.values())) * sqrt(sum(c * c for c in right.values()))
    return dot / norms if norms else 0.0
