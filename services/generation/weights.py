"""A language model with its weights, by transformers, which by itself draws at random what a checkpoint lacks."""

from typing import Any

from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, AutoModelForCausalLM, AutoModelForImageTextToText

from services.generation.checkpoint import Checkpoint
from shared.text.config import check_weights


def load_model(model: str, checkpoint: Checkpoint, **options: Any) -> Any:
    """The model in the folder (or of the Hugging Face id) `model`; `device_map="meta"` reads no weights, only which
    there are. `options` are those of `from_pretrained`.

    Raises:
        Unsupported: weights are missing, or of another shape than the configuration says.
    """
    # Some models that take pictures too, such as Mistral Small 3, are not listed among the causal language models.
    speaks = type(checkpoint.config.whole) in MODEL_FOR_CAUSAL_LM_MAPPING
    kind: Any = AutoModelForCausalLM if speaks else AutoModelForImageTextToText
    loaded, found = kind.from_pretrained(model, output_loading_info=True, ignore_mismatched_sizes=True, **options)
    check_weights(model, found)
    return loaded
