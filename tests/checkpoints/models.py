"""Tiny checkpoints of real architectures, with random weights: two layers, a template and its tokenizer."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers as hf

from tests.checkpoints import templates, tokenizers

CONTEXT = 1024
_ROUND = 64
_LAYERS = {"num_hidden_layers": 2}


@dataclass(frozen=True)
class Family:
    """`template` names one of trl's, or a kind of `templates.KINDS`. `config` is given what all families share.

    `end` is the token that ends an answer in the template. `vllm`: its CPU build serves this architecture, without
    torchvision, which models that see pictures need. `context` is the checkpoint's own limit in tokens.
    """

    template: str
    end: str
    config: Callable[..., Any]
    options: Callable[[dict[str, Any]], dict[str, Any]] = lambda shared: shared
    vllm: bool = True
    context: int | None = CONTEXT


def _nested(text: Any, **more: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A model that sees pictures too: the language model's configuration is one part of it."""
    return lambda shared: {
        "text_config": text(**shared, **more).to_dict(),
        "vision_config": _vision(),
        **_ids(shared),
    }


def _ids(shared: dict[str, Any]) -> dict[str, Any]:
    return {name: shared[name] for name in ("bos_token_id", "eos_token_id", "pad_token_id")}


def _vision() -> dict[str, Any]:
    sizes = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 1}
    return {
        **sizes,
        "image_size": 28,
        "patch_size": 14,
        "depth": 1,
        "num_heads": 1,
        "out_hidden_size": 64,
        "head_dim": 32,
    }


def _without_limit(**more: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda shared: {**_ids(shared), "vocab_size": shared["vocab_size"], "hidden_size": 64, **_LAYERS, **more}


def _with(**more: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda shared: shared | more


FAMILIES: dict[str, Family] = {
    "llama 3": Family("trl/llama3_1", "<|eot_id|>", hf.LlamaConfig),
    "mistral 0.3": Family("system in the last user turn", tokenizers.EOS, hf.MistralConfig, _with(sliding_window=None)),
    "mistral 3": Family(
        "system in the last user turn", tokenizers.EOS, hf.Mistral3Config, _nested(hf.MistralConfig), vllm=False
    ),
    "gemma 2": Family("trl/gemma", "<end_of_turn>", hf.Gemma2Config, _with(sliding_window=64)),
    "gemma 3 text": Family("trl/gemma3", "<end_of_turn>", hf.Gemma3TextConfig, _with(sliding_window=64)),
    "gemma 3": Family("trl/gemma3", "<end_of_turn>", hf.Gemma3Config, _nested(hf.Gemma3TextConfig), vllm=False),
    "gemma 4": Family(
        "trl/gemma4_v5", "<turn|>", hf.Gemma4TextConfig, _with(global_head_dim=32, hidden_size_per_layer_input=0)
    ),
    "qwen 2.5": Family("trl/qwen2_5", "<|im_end|>", hf.Qwen2Config),
    "qwen 3": Family("trl/qwen3", "<|im_end|>", hf.Qwen3Config),
    "qwen 3.5": Family(
        "trl/qwen3_5_think",
        "<|im_end|>",
        hf.Qwen3_5Config,
        _nested(hf.Qwen3_5TextConfig, full_attention_interval=2),
        vllm=False,
    ),
    "phi 3": Family("trl/phi3", "<|end|>", hf.Phi3Config),
    "gpt-oss": Family(
        "trl/gptoss",
        "<|return|>",
        hf.GptOssConfig,
        _with(num_local_experts=2, num_experts_per_tok=1, sliding_window=64),
    ),
    "deepseek r1 distill": Family("trl/deepseek_r1_distill", "<｜end▁of▁sentence｜>", hf.Qwen2Config),
    "cohere 2": Family("trl/cohere2", "<|END_RESPONSE|>", hf.Cohere2Config, _with(sliding_window=64)),
    "glm 4": Family("trl/glm4moe", "<|user|>", hf.Glm4Config),
    # vLLM's CPU build has no kernel for the first Mamba.
    "mamba": Family("plain", "<|end|>", hf.MambaConfig, _without_limit(state_size=8), vllm=False, context=None),
    "mamba 2": Family(
        "plain",
        "<|end|>",
        hf.Mamba2Config,
        _without_limit(num_heads=4, head_dim=32, state_size=16, n_groups=1),
        context=None,
    ),
    "bloom": Family(
        "plain",
        "<|end|>",
        hf.BloomConfig,
        lambda shared: {
            **_ids(shared),
            "vocab_size": shared["vocab_size"],
            "hidden_size": 64,
            "n_layer": 2,
            "n_head": 2,
        },
        context=None,
    ),
}


def tokenizer_of(template: str) -> Any:
    if template in templates.KINDS:
        return tokenizers.byte_level(templates.KINDS[template], *templates.KIND_TOKENS)
    text = templates.real_templates()[template]
    return tokenizers.byte_level(text, *templates.control_tokens(text))


def build(family: Family, folder: Path, **more: Any) -> Any:
    """Saves a checkpoint, weights in float32, and returns its model; `more` goes over what all families share."""
    tokenizer = tokenizer_of(family.template)
    shared = {
        "vocab_size": -(-len(tokenizer) // _ROUND) * _ROUND,
        "hidden_size": 64,
        "intermediate_size": 64,
        **_LAYERS,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 32,
        "max_position_embeddings": CONTEXT,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.eos_token_id,
        # So far apart that no rounding changes which token is the likeliest.
        "initializer_range": 0.3,
    } | more
    config = family.config(**family.options(shared))
    torch.manual_seed(0)
    nested = "text_config" in family.options(shared)
    auto = hf.AutoModelForImageTextToText if nested else hf.AutoModelForCausalLM
    model = auto.from_config(config, dtype=torch.float32).eval()
    # Tied embeddings as large as the rest would have every token followed by itself.
    with torch.no_grad():
        model.get_input_embeddings().weight.mul_(0.1)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model
