"""The first layers of a language model, run over the new tokens of many sequences at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoModel, DynamicCache

from services.reward.grouping import groups
from services.reward.runtime import Runtime, configure_torch

_MAX_PADDED_TOKENS = 4096


@dataclass(frozen=True)
class Extension:
    """New tokens (at least one) of a sequence, and the keys and values of all tokens before them."""

    past: torch.Tensor
    token_ids: Sequence[int]


@dataclass(frozen=True)
class Extended:
    """Keys and values of the whole sequence; hidden states of the new tokens, float32, [tokens, hidden]."""

    past: torch.Tensor
    hidden: torch.Tensor


class Trunk:
    """The first `layers` layers of the model in `folder`, without the final norm.

    A `past` is a tensor [layers, 2 (key, value), heads, tokens, head size].
    """

    def __init__(self, folder: str, layers: int, runtime: Runtime) -> None:
        dtype = configure_torch(runtime)
        self._model = AutoModel.from_pretrained(folder, dtype=dtype, num_hidden_layers=layers)
        self._model.norm = torch.nn.Identity()
        self._model.to(runtime.device).eval()
        config = self._model.config
        self.device = torch.device(runtime.device)
        self.hidden_size: int = config.hidden_size
        self.context: int = config.max_position_embeddings
        self._empty = torch.empty(
            layers, 2, config.num_key_value_heads, 0, config.head_dim, dtype=dtype, device=runtime.device
        )

    def empty(self) -> torch.Tensor:
        """The past of a sequence that has not begun."""
        return self._empty

    @torch.inference_mode()
    def extend(self, extensions: Sequence[Extension]) -> list[Extended]:
        """Computes every extension's new tokens, in order; those of similar length share a padded forward pass."""
        results: dict[int, Extended] = {}
        for group in groups([len(extension.token_ids) for extension in extensions], _MAX_PADDED_TOKENS):
            members = [extensions[index] for index in group]
            results.update(zip(group, self._forward(members), strict=True))
        return [results[index] for index in range(len(extensions))]

    def _forward(self, batch: Sequence[Extension]) -> list[Extended]:
        """Pasts are padded on the left and new tokens on the right, so that both meet at one column."""
        before = [extension.past.shape[3] for extension in batch]
        new = [len(extension.token_ids) for extension in batch]
        widest, longest = max(before), max(new)
        ids = pad_sequence([torch.tensor(extension.token_ids) for extension in batch], batch_first=True)
        positions = torch.tensor(before).unsqueeze(1) + torch.arange(longest)
        # Column 0 is the first new token of every row.
        columns, starts = torch.arange(-widest, longest), -torch.tensor(before).unsqueeze(1)
        mask = ((columns >= starts) & (columns < torch.tensor(new).unsqueeze(1))).long()
        cache = self._cache([extension.past for extension in batch], widest)
        hidden = self._model(
            input_ids=ids.to(self.device),
            attention_mask=mask.to(self.device),
            position_ids=positions.to(self.device),
            past_key_values=cache,
        ).last_hidden_state
        return [
            Extended(
                _row(cache, row, widest - before[row], widest + new[row]),
                hidden[row, : new[row]].float(),
            )
            for row in range(len(batch))
        ]

    def _cache(self, pasts: Sequence[torch.Tensor], widest: int) -> DynamicCache:
        cache = DynamicCache()
        if widest == 0:
            return cache
        layers, _, heads, _, size = self._empty.shape
        padded = self._empty.new_zeros(layers, 2, len(pasts), heads, widest, size)
        for row, past in enumerate(pasts):
            padded[:, :, row, :, widest - past.shape[3] :] = past
        for layer in range(layers):
            cache.update(padded[layer, 0], padded[layer, 1], layer)
        return cache


def _row(cache: Any, row: int, start: int, stop: int) -> torch.Tensor:
    return torch.stack(
        [torch.stack((layer.keys[row, :, start:stop], layer.values[row, :, start:stop])) for layer in cache.layers]
    )
