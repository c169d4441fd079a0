"""Loads a checkpoint's tokenizer, in the processes that hold a model."""

import logging
from typing import Any

from shared.errors import NotFound, Unsupported

log = logging.getLogger(__name__)


def load_tokenizer(model: str, *, trust_remote_code: bool = False, revision: str | None = None) -> Any:
    """The Hugging Face fast tokenizer of a model (folder or id), never that of mistral-common.

    Raises:
        NotFound: there is no such folder or id, or it holds no tokenizer.
        Unsupported: the tokenizer cannot be read, or is not a fast one.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(
            model, trust_remote_code=trust_remote_code, revision=revision, mistral_format=False
        )
    except OSError as error:
        raise NotFound(
            f"no tokenizer can be read from {model}: name a folder that holds tokenizer.json, or a Hugging Face id "
            f"({first_line(error)})",
            field="model",
        ) from error
    except Exception as error:  # a library reads a file that we did not write: any exception may come
        raise Unsupported(
            f"the tokenizer of {model} cannot be read ({first_line(error)}): save it again with a current transformers",
            field="model",
        ) from error
    if getattr(tokenizer, "backend_tokenizer", None) is None:
        raise Unsupported(
            f"the tokenizer of {model} is a {type(tokenizer).__name__}, not a fast one: convert it to a tokenizer.json",
            field="model",
        )
    return tokenizer


def load_embedded_tokenizer(folder: str) -> Any:
    """The tokenizer of the embedded language model, which is in this folder, as `load_tokenizer` reads it.

    It is read by the class that `AutoTokenizer` chooses for it, since importing `AutoTokenizer` takes two seconds and
    180 MiB.
    """
    from transformers import TokenizersBackend

    return TokenizersBackend.from_pretrained(folder)


def first_line(error: Exception) -> str:
    """The first line of an error's message, at most 200 characters; the error's type where it has no message."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:200].rstrip(".")


def template_source(tokenizer: Any) -> str:
    """The source of a tokenizer's chat template.

    Raises:
        Unsupported: it has none, or named ones only.
    """
    template = tokenizer.chat_template
    if isinstance(template, dict):
        if "default" not in template:
            raise Unsupported(
                f"the tokenizer has only named chat templates ({', '.join(sorted(template))}): name one of them "
                '"default"',
                field="model",
            )
        template = template["default"]
    if not template:
        raise Unsupported(
            "the tokenizer has no chat template, as that of a base model: take the instruct model, or put a "
            "chat_template into its tokenizer_config.json",
            field="model",
        )
    return str(template)
