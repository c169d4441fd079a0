"""The judges that ship: linear scores of sentence embeddings of question and answer, by the embedded encoder.

`embedded` was trained on all preferences; `length-blind` on pairs of equal length, and what length still predicts of
its score is taken away. Their trunk is not the shipped reward's. They tell topic and coherence and, by
`weights/README.md`, no more; `python -m bench.judges` makes them.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b, file_digest
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save

from cli.evaluation.judging import JudgedResponse, NamedJudge, digest_of
from shared.text.embedded_models import EMBEDDED_ENCODER, resolve
from shared.text.encoder import WEIGHTS as ENCODER_WEIGHTS
from shared.text.encoder import Encoder

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

WEIGHTS = Path(__file__).parent / "weights"
_AT_ONCE = 32
_BATCH = 512


@dataclass(frozen=True)
class LinearJudge:
    """The score of features f of a response of n characters is `weight`·f + `bias` - `length`·(basis of n).

    Scores are Bradley–Terry logits; `weight` has the shape [3 * width + 1], `length` [3].
    """

    weight: Doubles
    bias: float
    length: Doubles

    def scores(self, features: Floats, characters: Sequence[int]) -> Doubles:
        """The scores [n] of features [n, 3 * width + 1]."""
        found: Doubles = features.astype(np.float64) @ self.weight + self.bias - basis(characters) @ self.length
        return found


def features(questions: Floats, answers: Floats) -> Floats:
    """Of unit vectors, both [n, width]: the answer's, its product with the question's, their distance, their cosine."""
    product = questions * answers
    cosine = product.sum(axis=1, keepdims=True)
    found: Floats = np.concatenate([answers, product, np.abs(questions - answers), cosine], axis=1)
    return found


def basis(characters: Sequence[int]) -> Doubles:
    """Smooth functions [n, 3] of a length in characters: its logarithm to the first three powers."""
    logarithm = np.log1p(np.asarray(characters, dtype=np.float64)) / 10
    return np.stack([logarithm, logarithm**2, logarithm**3], axis=1)


def embed(encoder: Encoder, texts: Sequence[str]) -> Floats:
    """Unit vectors [n, width]; a text that is asked for twice is computed once."""
    distinct = list(dict.fromkeys(texts))
    parts = [encoder.embed(distinct[start : start + _AT_ONCE]) for start in range(0, len(distinct), _AT_ONCE)]
    place = {text: index for index, text in enumerate(distinct)}
    vectors: Floats = np.concatenate([np.zeros((0, encoder.width), np.float32), *parts])
    return vectors[[place[text] for text in texts]]


def read_judge(file: Path) -> LinearJudge:
    """What `write_judge` wrote."""
    tensors = load_file(file)
    return LinearJudge(tensors["w"].astype(np.float64), float(tensors["bias"][0]), tensors["length"].astype(np.float64))


def write_judge(file: Path, judge: LinearJudge, about: Mapping[str, Any]) -> None:
    """A safetensors file {w, bias[1], length[3]} in float32, with `about` as JSON in its metadata."""
    tensors = {"w": judge.weight, "bias": np.array([judge.bias]), "length": judge.length}
    content = {name: tensor.astype(np.float32) for name, tensor in tensors.items()}
    file.write_bytes(save(content, metadata={"darwin": json.dumps(about, sort_keys=True)}))


def named_embedded(kind: str, version: str = "", name: str | None = None) -> NamedJudge:
    """One of `cli.evaluation.judges.SHIPPED`. What it is, is its weights and the encoder's.

    Raises:
        NotFound: the encoder is not installed.
    """
    file = WEIGHTS / f"{kind}.safetensors"
    with (Path(resolve(EMBEDDED_ENCODER)) / ENCODER_WEIGHTS).open("rb") as stream:
        trunk = file_digest(stream, "blake2b").hexdigest()
    digest = digest_of(blake2b(file.read_bytes()).hexdigest(), trunk, version)
    return NamedJudge(name or kind, digest, _Judge(read_judge(file)), batch=_BATCH)


class _Judge:
    """Scores responses by their last message; the encoder loads with the first of them."""

    def __init__(self, judge: LinearJudge) -> None:
        self._judge = judge
        self._encoder: Encoder | None = None

    def __call__(self, pairs: Sequence[JudgedResponse]) -> list[float]:
        if self._encoder is None:
            self._encoder = Encoder(threads=len(os.sched_getaffinity(0)))
        questions = embed(self._encoder, [pair.messages[-1]["content"] for pair in pairs])
        answers = embed(self._encoder, [pair.response for pair in pairs])
        scores = self._judge.scores(features(questions, answers), [len(pair.response) for pair in pairs])
        return [float(score) for score in scores]
