"""Sentence embeddings for two questions: does a mutant keep the meaning, is an answer on topic.

Model: all-MiniLM-L6-v2 (mean of the last layer's token states, normalised), by transformers on the CPU.
"""

from collections.abc import Sequence

import torch
from transformers import AutoModel, AutoTokenizer

from shared.models import EMBEDDED_ENCODER, resolve

MAX_TOKENS = 256


class Encoder:
    """Embeds texts. Loading takes about a second; thread-safe for `embed`."""

    def __init__(self, model: str = EMBEDDED_ENCODER) -> None:
        folder = resolve(model)
        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        self._model = AutoModel.from_pretrained(folder, dtype=torch.bfloat16, add_pooling_layer=False).eval()

    @torch.inference_mode()
    def embed(self, texts: Sequence[str]) -> torch.Tensor:
        """Unit vectors, float32, shape [len(texts), 384]; texts are cut at 256 tokens."""
        if not texts:
            return torch.empty(0, self._model.config.hidden_size)
        batch = self._tokenizer(list(texts), padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt")
        hidden = self._model(**batch).last_hidden_state.float()
        mask = batch["attention_mask"].unsqueeze(-1).float()
        mean = (hidden * mask).sum(1) / mask.sum(1)
        return torch.nn.functional.normalize(mean, dim=-1)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """How many tokens `embed` computes for each text, padding aside."""
        if not texts:
            return []
        return [len(ids) for ids in self._tokenizer(list(texts), truncation=True, max_length=MAX_TOKENS)["input_ids"]]
