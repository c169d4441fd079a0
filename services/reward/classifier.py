"""Sequence-classification reward models, by transformers."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoModelForSequenceClassification

from services.reward.classifier_inputs import Encoded
from services.reward.grouping import groups
from services.reward.heads import compute_in_float32
from services.reward.inspection import inspect_reward, padding_ids, refusing
from services.reward.registry import ClassifierSpec
from services.reward.runtime import Runtime, configure_torch
from services.reward.scorer import TRIAL, ComponentScore, ScoreItem
from shared.errors import Unsupported
from shared.text.config import check_weights

_MAX_PADDED_TOKENS = 8192


class ClassifierScorer:
    """The raw score (logit) of one of a classifier's outputs for the whole conversation, answer included.

    A classifier reads the answer's end, so nothing is reused but identical responses. Raises on `load` as
    `inspect_reward` does.
    """

    def __init__(self, spec: ClassifierSpec, runtime: Runtime) -> None:
        self._spec = spec
        self._runtime = runtime

    def load(self) -> None:
        dtype = configure_torch(self._runtime, self._spec.dtype, self._spec.device)
        self._device = torch.device(self._spec.device or self._runtime.device)
        self._found = found = inspect_reward(self._spec)
        with refusing(found.model):
            # The weights go straight to the device and need not fit into the host's memory.
            place = {} if self._device.type == "cpu" else {"device_map": self._device}
            self._model, loaded = AutoModelForSequenceClassification.from_pretrained(
                found.folder,
                config=found.config,
                revision=found.revision,
                trust_remote_code=found.own_code,
                dtype=dtype,
                output_loading_info=True,
                **place,
            )
            check_weights(found.model, loaded)
            compute_in_float32(self._model, found.head)
            self._model.eval()
            self._model.config.use_cache = self._model.config.get_text_config().use_cache = False
            self._try()

    def close(self) -> None: ...

    def score(self, batch: Sequence[ScoreItem]) -> list[ComponentScore]:
        rows = [self._found.format.encode(item) for item in batch]
        scores = [ComponentScore(0.0)] * len(batch)
        for group in groups([len(row.token_ids) for row in rows], _MAX_PADDED_TOKENS):
            for index, value in zip(group, self._values([rows[index] for index in group]), strict=True):
                scores[index] = ComponentScore(value, computed_tokens=len(rows[index].token_ids))
        return scores

    def _try(self) -> None:
        """Scores two rows of different length, so that what the model cannot compute shows now."""
        self.score([TRIAL, replace(TRIAL, text=f"{TRIAL.text} And a pear.")])

    @torch.inference_mode()
    def _values(self, rows: Sequence[Encoded]) -> list[float]:
        padding = next(padding_ids(self._found.tokenizer, self._found.vocabulary, {row.token_ids[-1] for row in rows}))
        config = self._model.config
        config.pad_token_id = config.get_text_config().pad_token_id = padding
        ids = [torch.tensor(row.token_ids) for row in rows]
        inputs = {
            "input_ids": pad_sequence(ids, batch_first=True, padding_value=padding),
            "attention_mask": pad_sequence([torch.ones_like(each) for each in ids], batch_first=True),
        }
        if self._found.token_types:
            types = [torch.tensor(row.type_ids or [0] * len(row.token_ids)) for row in rows]
            inputs["token_type_ids"] = pad_sequence(types, batch_first=True)
        outputs = self._model(**{name: tensor.to(self._device) for name, tensor in inputs.items()})
        values: list[float] = self._column(outputs, len(rows)).tolist()
        return values

    def _column(self, outputs: Any, rows: int) -> torch.Tensor:
        """The output that is the reward. Code of a checkpoint may give one number as `logits` and all as `rewards`."""
        output = self._found.output
        logits = outputs.logits.reshape(rows, -1)
        if self._found.own_code and output is not None and logits.shape[1] == 1:
            several = getattr(outputs, "rewards", None)
            logits = logits if several is None else several.reshape(rows, -1)
        count = logits.shape[1]
        if output is None and count > 1:
            raise Unsupported(f"it gives {count} outputs: name the one that is the reward by output", field="output")
        if output is not None and output >= count:
            raise Unsupported(f"it gives {count} outputs, none of number {output}", field="output")
        column: torch.Tensor = logits[:, output or 0].float()
        return column
