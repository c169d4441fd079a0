"""How a language model will be served, read before its weights: what an engine checks at its start, and says of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from services.generation.checkpoint import Checkpoint, Dtype, read_checkpoint
from shared.errors import Unsupported
from shared.models import resolve
from shared.records import Message
from shared.text.config import check_weights
from shared.text.template import TemplateTraits
from shared.text.tokenizers import first_line

_EXAMPLE = (
    Message("system", "Answer in one sentence."),
    Message("user", "Name a fruit."),
    Message("assistant", "An apple."),
    Message("user", "Name another one."),
)


@dataclass(frozen=True)
class GeneratorInspection:
    """How a checkpoint will be served.

    `context_length` counts tokens of prompt and response, None where the model has no limit of its own. `end_tokens`
    end a response. `prompt` is a short conversation as the model reads it, control tokens spelled out.
    """

    model: str
    family: str
    architecture: str
    context_length: int | None
    vocabulary: int
    dtype: str
    end_tokens: tuple[str, ...]
    template: TemplateTraits
    prompt: str


def inspect_generator(model: str, dtype: Literal["auto"] | Dtype = "auto") -> GeneratorInspection:
    """Reads configuration, tokenizer and template, and of a folder the headers of its weights.

    Raises:
        NotFound: there is no such model.
        Unsupported: it cannot be served; the message says why.
    """
    folder = resolve(model)
    checkpoint = read_checkpoint(folder)
    if Path(folder).is_dir():
        check_folder(folder)
    chat = checkpoint.chat
    return GeneratorInspection(
        model=model,
        family=checkpoint.config.family,
        architecture=", ".join(checkpoint.config.architectures) or "not named",
        context_length=checkpoint.context_length,
        vocabulary=checkpoint.vocabulary,
        dtype=checkpoint.dtype(dtype),
        end_tokens=_names(checkpoint),
        template=chat.template,
        prompt=chat.decode(chat.encode_chat(_EXAMPLE), special=True),
    )


def check_folder(folder: str) -> None:
    """Reads no weights, only which there are.

    Raises:
        Unsupported: some are missing, or there is no class for the model.
    """
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    loader: Any = AutoModelForCausalLM
    try:
        _, loaded = loader.from_pretrained(folder, device_map="meta", output_loading_info=True)
    except Exception as error:  # of a foreign library, reading foreign files
        raise Unsupported(f"{folder} cannot be loaded: {first_line(error)}", field="model") from error
    check_weights(folder, loaded)


def _names(checkpoint: Checkpoint) -> tuple[str, ...]:
    tokens = checkpoint.tokenizer.convert_ids_to_tokens(sorted(checkpoint.eos_ids))
    return tuple(str(token) for token in tokens)
