"""A tiny classifier checkpoint, made where a test needs one."""

from pathlib import Path

import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForSequenceClassification

from shared.models import EMBEDDED_LLM, resolve

# Ends with the end-of-sequence token, which is also the checkpoint's padding token: see `_padding` in classifier.py.
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' }}"
    "{% endfor %}"
)


def save_classifier(folder: Path, labels: int = 1) -> Path:
    """Random weights large enough for scores to differ by tenths, with the trap that padding is the end token."""
    tokenizer = AutoTokenizer.from_pretrained(resolve(EMBEDDED_LLM))
    tokenizer.chat_template = TEMPLATE
    tokenizer.pad_token = tokenizer.eos_token
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        num_labels=labels,
        max_position_embeddings=1024,
        initializer_range=0.2,
        pad_token_id=tokenizer.eos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=tokenizer.bos_token_id,
    )
    torch.manual_seed(0)
    LlamaForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
