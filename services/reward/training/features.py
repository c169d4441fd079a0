"""What the head sees of a response: means over its tokens of the frozen trunk's hidden states, computed once and kept.

The same tokens, layers and normalisation as `QualityScorer` serves, so a head that is fitted here scores there as it
did here. The score is linear in these means, and those of a response's beginnings come from the same forward pass.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b, file_digest
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from services.reward.quality import EPSILON, LAYERS, encode_prompt, rms_normalise
from services.reward.runtime import Runtime
from services.reward.training.data import TrainingPair
from services.reward.trunk import Extension, Trunk
from shared.text.chat_tokenizer import ChatTokenizer
from shared.text.embedded_models import EMBEDDED_LLM, resolve
from shared.text.tokenizers import load_tokenizer

CHUNK = 32
"""Pairs computed and kept together. A padded batch rounds differently with other members, so a chunk is kept as a whole
or not at all: a run that was interrupted yields the same bits as one that was not."""


@dataclass(frozen=True)
class Caps:
    """How many tokens count: of a prompt its last, of a response its first, and the `cuts` of partial ones."""

    prompt_tokens: int = 256
    response_tokens: int = 256
    cuts: tuple[int, ...] = (40, 80, 120)


@dataclass(frozen=True)
class Features:
    """The features of n pairs, whose responses are in the order (chosen, rejected).

    `means` float32 [n, 2, len(cuts) + 1, hidden]: over each response's first tokens by cut, last over all that count.
    `tokens` int64 [n, 2]: the responses' true lengths, which a cap does not shorten.
    """

    means: NDArray[np.float32]
    tokens: NDArray[np.int64]


def joined(parts: Sequence[Features]) -> Features:
    """The features of all parts, one part after another."""
    return Features(np.concatenate([part.means for part in parts]), np.concatenate([part.tokens for part in parts]))


class Extractor:
    """Computes and keeps features in `cache`, a folder; loads the model only where something is missing."""

    def __init__(self, cache: Path, caps: Caps, runtime: Runtime) -> None:
        self._cache = cache
        self._caps = caps
        self._runtime = runtime
        self._folder = resolve(EMBEDDED_LLM)
        cache.mkdir(parents=True, exist_ok=True)

    def extract(self, pairs: Sequence[TrainingPair], advance: Callable[[int], None]) -> Features:
        """Computes or loads the features; `advance` is called after each chunk with its number of pairs."""
        chunks = []
        for start in range(0, len(pairs), CHUNK):
            chunk = pairs[start : start + CHUNK]
            chunks.append(self._chunk(chunk))
            advance(len(chunk))
        return joined(chunks)

    @cached_property
    def trunk_digest(self) -> str:
        """Identifies weights, depth and number type, 64 hexadecimal digits."""
        state = blake2b(f"{LAYERS} {EPSILON} {self._runtime.dtype} {self._runtime.device}".encode(), digest_size=32)
        for file in sorted(Path(self._folder).glob("*.safetensors")):
            with file.open("rb") as stream:
                state.update(file_digest(stream, "sha256").digest())
        return state.hexdigest()

    def _chunk(self, pairs: Sequence[TrainingPair]) -> Features:
        file = self._cache / f"{self._key(pairs)}.safetensors"
        if file.is_file():
            try:
                return Features(**load_file(file))
            except SafetensorError:
                file.unlink()
        features = self._compute(pairs)
        partial = file.with_suffix(f".{os.getpid()}")
        save_file({"means": features.means, "tokens": features.tokens}, partial)
        partial.replace(file)
        return features

    def _key(self, pairs: Sequence[TrainingPair]) -> str:
        state = blake2b(f"{self.trunk_digest} {self._caps} {self._runtime.number_type(None)}".encode(), digest_size=24)
        for pair in pairs:
            state.update(bytes.fromhex(pair.id))
            state.update(blake2b(pair.rejected.encode("utf-8", "surrogatepass"), digest_size=16).digest())
        return state.hexdigest()

    @cached_property
    def _trunk(self) -> Trunk:
        return Trunk(self._folder, LAYERS, self._runtime)

    @cached_property
    def _chat(self) -> ChatTokenizer:
        return ChatTokenizer(load_tokenizer(self._folder))

    def _compute(self, pairs: Sequence[TrainingPair]) -> Features:
        chat, caps = self._chat, self._caps
        prompts = [encode_prompt(chat, pair.conversation, caps.prompt_tokens) for pair in pairs]
        empty = self._trunk.empty()
        asked = self._trunk.extend([Extension(empty, empty, prompt) for prompt in prompts])
        responses = [chat.encode_text(t) for pair in pairs for t in (pair.chosen, pair.rejected)]
        extensions = [
            Extension(asked[index // 2].own, empty, response[: caps.response_tokens])
            for index, response in enumerate(responses)
        ]
        means = [self._means(extended.hidden) for extended in self._trunk.extend(extensions)]
        shape = (len(pairs), 2, len(caps.cuts) + 1, self._trunk.hidden_size)
        tokens = np.array([len(response) for response in responses], dtype=np.int64).reshape(len(pairs), 2)
        return Features(np.stack(means).reshape(shape), tokens)

    def _means(self, hidden: torch.Tensor) -> NDArray[np.float32]:
        """Means [cuts + 1, hidden] of hidden states [tokens, hidden]: over the first tokens by cut, and over all."""
        sums = rms_normalise(hidden).cumsum(0)
        lengths = torch.tensor([min(cut, len(sums)) for cut in (*self._caps.cuts, len(sums))])
        means: NDArray[np.float32] = (sums[lengths - 1] / lengths.unsqueeze(1)).cpu().numpy()
        return means
