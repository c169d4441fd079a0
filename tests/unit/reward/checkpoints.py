"""Tiny reward checkpoints with random weights, made where a test needs them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers as tf
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from shared.text.embedded_models import EMBEDDED_LLM, resolve

# Ends with the end-of-sequence token, which is also the checkpoint's padding token: see `padding_ids` in inspection.py.
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' }}"
    "{% endfor %}"
)
# As many encoders' templates would be: nothing of [CLS].
BARE_TEMPLATE = "{% for message in messages %}{{ message['role'] + ': ' + message['content'] + '\n' }}{% endfor %}"

_SIZES = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 640,
    "initializer_range": 0.3,
}
_DECODER = _SIZES | {"num_key_value_heads": 2, "head_dim": 16}


def save_classifier(folder: Path, labels: int = 1) -> Path:
    """Random weights large enough for scores to differ by tenths, with the trap that padding is the end token."""
    tokenizer = embedded_tokenizer()
    config = tf.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        num_labels=labels,
        max_position_embeddings=1024,
        initializer_range=0.2,
        **_special(tokenizer),
    )
    return _saved(folder, tf.LlamaForSequenceClassification, config, tokenizer)


def embedded_tokenizer() -> Any:
    """The embedded language model's, with `TEMPLATE`."""
    tokenizer = tf.AutoTokenizer.from_pretrained(resolve(EMBEDDED_LLM))
    tokenizer.chat_template = TEMPLATE
    tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def byte_tokenizer() -> Any:
    """A token a byte, and `TEMPLATE`; padding is the end token."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE(vocab={letter: index for index, letter in enumerate(alphabet)}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    tokenizer = tf.PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<|im_start|>", eos_token="<|im_end|>", unk_token="<|endoftext|>"
    )
    tokenizer.chat_template = TEMPLATE
    tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def encoder_tokenizer() -> Any:
    """Like BERT's, a token a letter: [CLS] a [SEP], or [CLS] a [SEP] b [SEP], in segments 0 and 1."""
    special = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    letters = [chr(code) for code in range(33, 127)]
    vocabulary = [*special, *letters, *(f"##{letter}" for letter in letters)]
    table = {token: index for index, token in enumerate(vocabulary)}
    backend = Tokenizer(models.WordPiece(vocab=table, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece()
    ends = [(name, table[name]) for name in ("[CLS]", "[SEP]")]
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1", special_tokens=ends
    )
    names = {f"{name.strip('[]').lower()}_token": name for name in special}
    inputs = ["input_ids", "token_type_ids", "attention_mask"]
    return tf.PreTrainedTokenizerFast(tokenizer_object=backend, model_input_names=inputs, **names)


def llama(folder: Path, **changes: Any) -> Path:
    return _decoder(folder, tf.LlamaForSequenceClassification, tf.LlamaConfig, changes)


def qwen2(folder: Path, **changes: Any) -> Path:
    return _decoder(folder, tf.Qwen2ForSequenceClassification, tf.Qwen2Config, changes)


def mistral(folder: Path, **changes: Any) -> Path:
    return _decoder(folder, tf.MistralForSequenceClassification, tf.MistralConfig, changes)


def gemma2(folder: Path, **changes: Any) -> Path:
    return _decoder(folder, tf.Gemma2ForSequenceClassification, tf.Gemma2Config, changes)


def nested(folder: Path, labels: int = 1) -> Path:
    """Gemma 3 with eyes: vocabulary, positions and padding stand in the configuration of its language model."""
    tokenizer = byte_tokenizer()
    text = tf.Gemma3TextConfig(vocab_size=len(tokenizer), **_DECODER, **_special(tokenizer))
    vision = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = tf.Gemma3Config(
        text_config=text.to_dict(),
        vision_config={**vision, "image_size": 28, "patch_size": 14},
        mm_tokens_per_image=4,
        num_labels=labels,
        initializer_range=0.3,
    )
    return _saved(folder, tf.Gemma3ForSequenceClassification, config, tokenizer)


def bert(folder: Path, template: str | None = BARE_TEMPLATE, labels: int = 1) -> Path:
    return _encoder(folder, tf.BertForSequenceClassification, tf.BertConfig, template, {"num_labels": labels})


def roberta(folder: Path) -> Path:
    """Positions count from the padding id on, so that the table has rows that no token can use; no segments."""
    extra = {"type_vocab_size": 1, "max_position_embeddings": 640}
    return _encoder(folder, tf.RobertaForSequenceClassification, tf.RobertaConfig, BARE_TEMPLATE, extra)


def deberta(folder: Path, template: str | None = BARE_TEMPLATE) -> Path:
    extra = {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_biased_input": False}
    return _encoder(
        folder, tf.DebertaV2ForSequenceClassification, tf.DebertaV2Config, template, extra | {"type_vocab_size": 0}
    )


def two_segments(folder: Path) -> Path:
    return bert(folder, template=None)


def deberta_two_segments(folder: Path) -> Path:
    return deberta(folder, template=None)


FAMILIES: dict[str, Callable[[Path], Path]] = {
    made.__name__: made
    for made in (llama, qwen2, mistral, gemma2, nested, bert, roberta, deberta, two_segments, deberta_two_segments)
}
"""One output each; the name says where there is no chat template, but two segments."""

GATED = """
from dataclasses import dataclass

import torch
from transformers import LlamaModel, LlamaPreTrainedModel


@dataclass
class Output:
    logits: torch.Tensor
    rewards: torch.Tensor


class Gated(LlamaPreTrainedModel):
    def __init__(self, config):
        super().__init__(config)
        self.model = LlamaModel(config)
        self.regression_layer = torch.nn.Linear(config.hidden_size, config.num_labels, bias=False)
        self.gating = torch.nn.Linear(config.hidden_size, config.num_labels)
        self.mixing = torch.nn.Parameter(torch.eye(config.num_labels))
        self.post_init()

    def forward(self, input_ids, attention_mask=None, **others):
        hidden = self.model(input_ids, attention_mask=attention_mask).last_hidden_state
        last = hidden[torch.arange(len(input_ids)), attention_mask.sum(1) - 1]
        rewards = self.regression_layer(last)
        gates = torch.softmax(self.gating(last), -1)
        return Output(logits=((rewards @ self.mixing) * gates).sum(-1), rewards=rewards)
"""


def gated(folder: Path) -> Path:
    """Like ArmoRM: code of its own, five rewards, and a gate that makes one number of them."""
    tokenizer = byte_tokenizer()
    config = tf.LlamaConfig(vocab_size=len(tokenizer), num_labels=5, **_DECODER, **_special(tokenizer))
    torch.manual_seed(0)
    trunk = tf.LlamaModel(config).state_dict()
    weights = {f"model.{name}": tensor for name, tensor in trunk.items()}
    weights |= {name: torch.randn(5, 32) for name in ("regression_layer.weight", "gating.weight")}
    weights |= {"gating.bias": torch.randn(5), "mixing": torch.randn(5, 5)}
    folder.mkdir(parents=True, exist_ok=True)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    described = config.to_dict() | {"auto_map": {"AutoModelForSequenceClassification": "modeling_gated.Gated"}}
    (folder / "config.json").write_text(json.dumps(described))
    (folder / "modeling_gated.py").write_text(GATED)
    tokenizer.save_pretrained(folder)
    return folder


def rename_weights(folder: Path, old: str, new: str | None) -> None:
    """Renames, or takes out, one tensor of a checkpoint."""
    file = folder / "model.safetensors"
    weights = load_file(file)
    tensor = weights.pop(old)
    if new is not None:
        weights[new] = tensor
    save_file(weights, file, metadata={"format": "pt"})


def change_config(folder: Path, **changes: Any) -> None:
    """Overwrites fields of a checkpoint's config.json."""
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def _decoder(folder: Path, model: Any, config: Any, changes: dict[str, Any]) -> Path:
    tokenizer = byte_tokenizer()
    sizes: dict[str, Any] = {"vocab_size": len(tokenizer), "num_labels": 1} | _DECODER | _special(tokenizer) | changes
    return _saved(folder, model, config(**sizes), tokenizer)


def _encoder(folder: Path, model: Any, config: Any, template: str | None, extra: dict[str, Any]) -> Path:
    tokenizer = encoder_tokenizer()
    tokenizer.chat_template = template
    sizes = {"vocab_size": len(tokenizer), "num_labels": 1, "pad_token_id": tokenizer.pad_token_id} | _SIZES | extra
    return _saved(folder, model, config(**sizes), tokenizer)


def _special(tokenizer: Any) -> dict[str, int]:
    return {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("pad", "eos", "bos")}


def _saved(folder: Path, model: Any, config: Any, tokenizer: Any) -> Path:
    torch.manual_seed(0)
    model(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
