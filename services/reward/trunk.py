"""The first layers of a language model, run over the new tokens of many sequences at once.

A sequence has two parts: a beginning that other sequences may share, and what follows it, its own. Keys and values of a
beginning are kept and read once for all that share it: a token attends to each part by itself, and the two results
count in proportion to the sums of their exponentiated scores. That is the attention to both, but for rounding.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path

import torch

from services.reward.attention import attend
from services.reward.llama import Llama
from services.reward.runtime import Runtime, configure_torch

_MAX_TOKENS = 4096
"""So many new tokens are computed at once, unless one sequence alone has more."""


@dataclass(frozen=True)
class Extension:
    """New tokens (at least one) of a sequence, and the keys and values of all tokens before them, by its parts.

    Sequences share a `beginning` where it is one object.
    """

    beginning: torch.Tensor
    own: torch.Tensor
    token_ids: Sequence[int]


@dataclass(frozen=True)
class Extended:
    """Keys and values of the sequence's own part, which the new tokens end; hidden states of the new tokens, float32,
    [tokens, hidden]."""

    own: torch.Tensor
    hidden: torch.Tensor


class Trunk:
    """The first `layers` layers of the model in `folder`, without the final norm.

    Keys and values are tensors [layers, 2 (key, value), heads, tokens, head size].
    """

    def __init__(self, folder: str, layers: int, runtime: Runtime) -> None:
        dtype = configure_torch(runtime)
        self.device = torch.device(runtime.device)
        self._model = Llama(Path(folder), layers, dtype, self.device)
        config = self._model.config
        self.hidden_size: int = config.hidden_size
        self.context: int = config.max_position_embeddings
        heads, size = config.num_key_value_heads, config.head_dim
        self._empty = torch.empty(layers, 2, heads, 0, size, dtype=dtype, device=self.device)

    def empty(self) -> torch.Tensor:
        """The keys and values of no tokens."""
        return self._empty

    @torch.inference_mode()
    def extend(self, extensions: Sequence[Extension]) -> list[Extended]:
        """Computes every extension's new tokens, in order; those that share a beginning side by side."""
        results: dict[int, Extended] = {}
        for chunk in _chunks(extensions):
            members = [extensions[index] for index in chunk]
            results.update(zip(chunk, self._forward(members), strict=True))
        return [results[index] for index in range(len(extensions))]

    def _forward(self, batch: Sequence[Extension]) -> list[Extended]:
        """The tokens of all sequences stand behind one another, without padding; only attention tells them apart."""
        rows = [_Row.of(extension, self._empty.dtype) for extension in batch]
        ids = torch.cat([torch.tensor(extension.token_ids) for extension in batch])
        positions = torch.cat([torch.arange(row.position, row.position + row.new) for row in rows])
        hidden = self._model(ids, positions, partial(_attend_to_parts, rows))
        new = torch.split(hidden.float(), [row.new for row in rows])
        return [Extended(row.own, states) for row, states in zip(rows, new, strict=True)]


@dataclass(frozen=True)
class _Row:
    """A sequence in a forward pass: `new` tokens, whose keys and values become the last of `own`.

    `mask` is what is added to scores of the own part, [new, own tokens]; None where the new tokens are all of it.
    """

    beginning: torch.Tensor
    own: torch.Tensor
    new: int
    mask: torch.Tensor | None

    @classmethod
    def of(cls, extension: Extension, dtype: torch.dtype) -> "_Row":
        layers, two, heads, before, size = extension.own.shape
        new = len(extension.token_ids)
        own = extension.own.new_empty(layers, two, heads, before + new, size)
        own[:, :, :, :before] = extension.own
        mask = None
        if before:
            mask = torch.full((new, before + new), -torch.inf, dtype=dtype, device=own.device).triu_(before + 1)
        return cls(extension.beginning, own, new, mask)

    @property
    def position(self) -> int:
        """Of the first new token."""
        return self.beginning.shape[3] + self.own.shape[3] - self.new


def _attend_to_parts(
    rows: Sequence[_Row], layer: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor
) -> torch.Tensor:
    """The `Attention` of a model; scores are divided by the root of the head size."""
    query, key, value = (x.transpose(0, 1).unsqueeze(0) for x in (query, key, value))
    results, sums, start = list[torch.Tensor](), list[torch.Tensor](), 0
    for row in rows:
        now = slice(start, start := start + row.new)
        own = row.own[layer]
        own[0, :, -row.new :], own[1, :, -row.new :] = key[0, :, now], value[0, :, now]
        result, score_sum = attend(query[:, :, now], own, row.mask, causal=row.mask is None)
        results.append(result)
        sums.append(score_sum)
    mixed, own_sums, start = torch.cat(results, 2), torch.cat(sums, 2), 0
    for _, sharing in groupby(rows, key=lambda row: id(row.beginning)):
        first, *others = sharing
        now = slice(start, start := start + first.new + sum(row.new for row in others))
        if first.beginning.shape[3]:
            result, score_sum = attend(query[:, :, now], first.beginning[layer], None)
            weight = torch.sigmoid(score_sum - own_sums[:, :, now]).unsqueeze(3).to(result.dtype)
            mixed[:, :, now] = mixed[:, :, now].lerp(result, weight)
    return mixed[0].transpose(0, 1)


def _chunks(extensions: Sequence[Extension]) -> Iterator[list[int]]:
    """Indices of what is computed at once; those that share a beginning follow one another."""
    first: dict[int, int] = {}
    for index, extension in enumerate(extensions):
        first.setdefault(id(extension.beginning), index)
    chunk, tokens = list[int](), 0
    for index in sorted(range(len(extensions)), key=lambda index: first[id(extensions[index].beginning)]):
        new = len(extensions[index].token_ids)
        if chunk and tokens + new > _MAX_TOKENS:
            yield chunk
            chunk, tokens = [], 0
        chunk.append(index)
        tokens += new
    if chunk:
        yield chunk
