"""The forward pass of Llama (Touvron et al. 2023, arXiv 2302.13971), as the embedded language model has it.

Layers run over the tokens of all sequences at once, without padding: only attention, which the caller computes, tells
sequences apart. transformers has this model too. Importing it takes longer than everything else that the reward service
does before it is ready, and 200 MiB.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal

import torch
from pydantic import BaseModel
from safetensors import safe_open
from torch.nn.functional import linear, rms_norm, silu

Attention = Callable[[int, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
"""Maps the number of a layer, and its queries [tokens, heads, size], keys and values [tokens, key heads, size], to the
result of the attention, of the queries' shape."""


_LayerAttention = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


class Rope(BaseModel):
    rope_type: Literal["default"]
    rope_theta: float


class LlamaConfig(BaseModel):
    """The fields of a checkpoint's config.json that the forward pass depends on; other values of them are refused."""

    model_type: Literal["llama"]
    hidden_act: Literal["silu"]
    attention_bias: Literal[False]
    mlp_bias: Literal[False]
    rope_parameters: Rope
    hidden_size: int
    head_dim: int
    num_attention_heads: int
    num_key_value_heads: int
    max_position_embeddings: int
    rms_norm_eps: float


class Llama:
    """The first `layers` layers of the model in `folder`, without the final norm."""

    def __init__(self, folder: Path, layers: int, dtype: torch.dtype, device: torch.device) -> None:
        self.config = LlamaConfig.model_validate_json((folder / "config.json").read_bytes())
        self._dtype, self._device = dtype, device
        with safe_open(folder / "model.safetensors", framework="pt") as file:
            # A text needs few of its rows. On a CPU they stay in the file, and in the file's number type.
            words = file.get_tensor("model.embed_tokens.weight")
            self._words = words if device.type == "cpu" else words.to(device, dtype)

            def weight(layer: int, name: str) -> torch.Tensor:
                found: torch.Tensor = file.get_tensor(f"model.layers.{layer}.{name}.weight")
                return found.to(device, dtype)

            self._layers = [_Layer(self.config, partial(weight, layer)) for layer in range(layers)]
        size = self.config.head_dim
        exponents = torch.arange(0, size, 2, dtype=torch.float32, device=device) / size
        self._frequencies = torch.pow(self.config.rope_parameters.rope_theta, -exponents)

    def __call__(self, token_ids: torch.Tensor, positions: torch.Tensor, attention: Attention) -> torch.Tensor:
        """Maps ids and positions in their sequences, both [tokens], to the last layer's states, [tokens, hidden]."""
        x: torch.Tensor = self._words[token_ids.to(self._words.device)].to(self._device, self._dtype)
        angles = (positions.to(self._device).float().unsqueeze(1) * self._frequencies).unsqueeze(1)
        cos, sin = angles.cos().to(self._dtype), angles.sin().to(self._dtype)
        for number, layer in enumerate(self._layers):
            x = layer(x, cos, sin, partial(attention, number))
        return x


class _Layer:
    def __init__(self, config: LlamaConfig, weight: Callable[[str], torch.Tensor]) -> None:
        self._size, self._eps = config.head_dim, config.rms_norm_eps
        self._heads = [config.num_attention_heads, config.num_key_value_heads, config.num_key_value_heads]
        self._norm, self._mlp_norm = weight("input_layernorm"), weight("post_attention_layernorm")
        self._query_key_value = torch.cat([weight(f"self_attn.{name}_proj") for name in "qkv"])
        self._attended = weight("self_attn.o_proj")
        self._gate_up = torch.cat([weight(f"mlp.{name}_proj") for name in ("gate", "up")])
        self._down = weight("mlp.down_proj")

    def __call__(
        self, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, attention: _LayerAttention
    ) -> torch.Tensor:
        heads = linear(self._normalised(x, self._norm), self._query_key_value).view(len(x), -1, self._size)
        query, key, value = torch.split(heads, self._heads, 1)
        mixed = attention(_rotated(query, cos, sin), _rotated(key, cos, sin), value)
        x = x + linear(mixed.reshape(len(x), -1), self._attended)
        gate, up = linear(self._normalised(x, self._mlp_norm), self._gate_up).chunk(2, -1)
        return x + linear(silu(gate) * up, self._down)

    def _normalised(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return rms_norm(x, weight.shape, weight, self._eps)


def _rotated(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Turns the first half of each head and the second as pairs; `cos` and `sin` are [tokens, 1, size / 2]."""
    first, second = x.chunk(2, -1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), -1)
