"""Any Hugging Face sequence-classification reward model, by transformers."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification

from services.reward.chat import ChatFormat
from services.reward.runtime import Runtime, configure_torch
from services.reward.scorer import ComponentScore, ScoreItem
from shared.errors import Unsupported
from shared.models import resolve

_MAX_PADDED_TOKENS = 8192


class ClassifierScorer:
    """The raw score (logit) of a one-label classifier for the whole conversation, answer included.

    A classifier reads the answer's end, so nothing is reused but identical responses. Raises Unsupported on `load` for
    a model with several labels or without a chat template.
    """

    def __init__(self, model: str, max_tokens: int, runtime: Runtime) -> None:
        self._name = model
        self._max_tokens = max_tokens
        self._runtime = runtime

    def load(self) -> None:
        dtype = configure_torch(self._runtime)
        folder = resolve(self._name)
        self._model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=dtype)
        self._model.to(self._runtime.device).eval()
        if self._model.config.num_labels != 1:
            labels = self._model.config.num_labels
            raise Unsupported(f"{self._name} has {labels} labels; a reward model has one", field="model")
        self._chat = ChatFormat(folder, self._max_tokens)
        self._padding = _padding(self._model.config.vocab_size, self._chat.tokenizer)
        self._model.config.pad_token_id = self._padding

    def close(self) -> None: ...

    def score(self, batch: Sequence[ScoreItem]) -> list[ComponentScore]:
        ids = [self._chat.token_ids(item) for item in batch]
        scores = [ComponentScore(0.0)] * len(batch)
        for group in _groups([len(row) for row in ids]):
            for index, value in zip(group, self._logits([ids[index] for index in group]), strict=True):
                scores[index] = ComponentScore(value, computed_tokens=len(ids[index]))
        return scores

    @torch.inference_mode()
    def _logits(self, rows: Sequence[Sequence[int]]) -> list[float]:
        width = max(map(len, rows))
        ids = torch.full((len(rows), width), self._padding)
        mask = torch.zeros(len(rows), width, dtype=torch.long)
        for index, row in enumerate(rows):
            ids[index, : len(row)] = torch.tensor(row)
            mask[index, : len(row)] = 1
        device = self._runtime.device
        logits = self._model(input_ids=ids.to(device), attention_mask=mask.to(device)).logits
        return [float(value) for value in logits[:, 0].float()]


def _padding(vocabulary: int, tokenizer: Any) -> int:
    """A padding id that no text ends with.

    transformers finds a row's last token by looking for padding: where the padding is the end-of-sequence token too,
    as in many checkpoints, it would read the score one token early.
    """
    ends = {tokenizer.eos_token_id, *tokenizer("\n", add_special_tokens=False)["input_ids"]}
    candidates = (tokenizer.pad_token_id, tokenizer.unk_token_id, *range(vocabulary))
    return next(int(token) for token in candidates if token is not None and token not in ends)


def _groups(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Indices, shortest first, in groups of bounded padded size."""
    group: list[int] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        if group and (len(group) + 1) * lengths[index] > _MAX_PADDED_TOKENS:
            yield group
            group = []
        group.append(index)
    if group:
        yield group
