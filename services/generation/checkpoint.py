"""What engines need to know of a model beside its weights."""

from dataclasses import dataclass
from typing import Any

from shared.chat import ChatTokenizer


@dataclass(frozen=True)
class Checkpoint:
    """Read once, when an engine loads. `tokenizer` is the Hugging Face tokenizer that `chat` speaks by."""

    chat: ChatTokenizer
    tokenizer: Any
    context_length: int
    vocabulary: int
    eos_ids: frozenset[int]


def read_checkpoint(model: str) -> Checkpoint:
    """Reads tokenizer, configuration and end-of-sequence ids of a Hugging Face model (folder or id)."""
    from transformers import AutoConfig, AutoTokenizer, GenerationConfig

    config = AutoConfig.from_pretrained(model)
    tokenizer = AutoTokenizer.from_pretrained(model)
    try:
        ends = GenerationConfig.from_pretrained(model).eos_token_id
    except OSError:
        ends = config.eos_token_id
    listed = ends if isinstance(ends, list) else [ends]
    return Checkpoint(
        chat=ChatTokenizer(tokenizer),
        tokenizer=tokenizer,
        context_length=config.max_position_embeddings,
        vocabulary=config.vocab_size,
        eos_ids=frozenset(end for end in (*listed, tokenizer.eos_token_id) if end is not None),
    )
