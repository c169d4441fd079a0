"""What engines need to know of a model beside its weights."""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from shared.errors import Unsupported
from shared.process.number_types import Dtype, DtypeSetting, suited_to
from shared.text.chat_tokenizer import ChatTokenizer
from shared.text.config import ModelConfig, ids_of, load_config
from shared.text.tokenizers import first_line, load_tokenizer

log = logging.getLogger(__name__)

_DECODES = re.compile("ForCausalLM|ForConditionalGeneration|LMHead")


@dataclass(frozen=True)
class Checkpoint:
    """What is read of a checkpoint once, when an engine loads. `tokenizer` is the Hugging Face tokenizer behind `chat`.

    `context_length` counts tokens and is None where the model has no limit. `vocabulary` is the number of rows of the
    embedding table. `eos_ids` end a response: those that the checkpoint names, and the one that ends a turn in its
    template.
    """

    config: ModelConfig
    chat: ChatTokenizer
    tokenizer: Any
    context_length: int | None
    vocabulary: int
    eos_ids: frozenset[int]

    def context(self, longest: int) -> int:
        """How many tokens prompt and response may have together; `longest` at most."""
        return longest if self.context_length is None else min(longest, self.context_length)

    def dtype(self, wanted: DtypeSetting, device: str) -> Dtype:
        """The number type to serve in on a torch device; "auto" is what suits the device. Kernels of quantised weights
        know 16 bits only: bfloat16 for them, or float16 where they can be nothing else.
        """
        if wanted != "auto":
            return wanted
        if getattr(self.config.whole, "quantization_config", None) is None:
            return suited_to(device)
        own = str(getattr(self.config.whole, "dtype", None) or getattr(self.config.text, "dtype", None))
        return "float16" if "float16" in own and "bfloat16" not in own else "bfloat16"


def read_checkpoint(model: str, template_arguments: Mapping[str, object] = MappingProxyType({})) -> Checkpoint:
    """Reads tokenizer, chat template, configuration and end-of-sequence ids of a Hugging Face model (folder or id). The
    template is given the arguments each time.

    Raises:
        NotFound: there is no such model.
        Unsupported: it is no language model that can answer a chat; the message says why.
    """
    config = load_config(model)
    if getattr(config.whole, "is_encoder_decoder", False):
        raise Unsupported(
            f"{model} is an encoder and decoder ({config.family}): take a causal language model", field="model"
        )
    if config.architectures and not any(_DECODES.search(name) for name in config.architectures):
        raise Unsupported(
            f"{model} holds a {', '.join(config.architectures)}, which generates no text: take a causal language model",
            field="model",
        )
    tokenizer = load_tokenizer(model)
    vocabulary = config.vocabulary or len(tokenizer)
    try:
        chat = ChatTokenizer(tokenizer, arguments=template_arguments, vocabulary=vocabulary)
    except Unsupported as refused:
        raise Unsupported(f"{model}: {refused.message}", field="model") from refused
    if chat.template.system == "dropped":
        log.warning("the chat template of %s prints no system message: it is put into the user's turn", model)
    return Checkpoint(
        config=config,
        chat=chat,
        tokenizer=tokenizer,
        context_length=config.context_length,
        vocabulary=vocabulary,
        eos_ids=_ends(model, config, tokenizer, chat),
    )


def _ends(model: str, config: ModelConfig, tokenizer: Any, chat: ChatTokenizer) -> frozenset[int]:
    """Every id that ends a response.

    What ends a turn in the template counts too: a checkpoint made for chats may name the end of a document only, and
    would go on as the user.
    """
    from transformers import GenerationConfig

    try:
        named = ids_of(GenerationConfig.from_pretrained(model).eos_token_id)
    except Exception as error:
        if not isinstance(error, OSError) or Path(model, "generation_config.json").exists():
            raise Unsupported(
                f"the generation_config.json of {model} cannot be read: {first_line(error)}", field="model"
            ) from error
        named = ()
    ends = {*named, *config.end_ids, *ids_of(tokenizer.eos_token_id), *chat.template.end_ids}
    if not ends:
        raise Unsupported(
            f"{model} names no end-of-sequence token: set eos_token_id in its generation_config.json", field="model"
        )
    return frozenset(ends)
