"""Reads a checkpoint's configuration, in which the language model's part may be nested, and checks loaded weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.errors import NotFound, Unsupported
from shared.text.tokenizers import first_line


@dataclass(frozen=True)
class ModelConfig:
    """What a configuration says of a language model.

    `whole` is transformers' configuration. `text` is that of the language model: a nested one where the model also sees
    pictures, otherwise `whole` itself. `context_length`, in tokens, is None where the model has no limit of its own.
    """

    whole: Any
    text: Any
    family: str
    architectures: tuple[str, ...]
    context_length: int | None
    vocabulary: int | None

    @property
    def end_ids(self) -> frozenset[int]:
        """The end-of-sequence ids that the configuration names."""
        return frozenset(end for part in (self.whole, self.text) for end in ids_of(getattr(part, "eos_token_id", None)))


def load_config(model: str, *, trust_remote_code: bool = False, revision: str | None = None) -> ModelConfig:
    """Reads the configuration of a Hugging Face model (folder or id).

    Raises:
        NotFound: there is no such folder or id, or it holds no configuration.
        Unsupported: this transformers does not know the model, or it cannot be read.
    """
    from transformers import AutoConfig

    folder = Path(model)
    if not folder.is_dir() and (folder.is_absolute() or model.startswith(("./", "../", "~"))):
        raise NotFound(f"there is no folder {model}", field="model")
    if (folder / "adapter_config.json").is_file() and not (folder / "config.json").is_file():
        raise Unsupported(
            f"{model} holds an adapter only: merge it into its base model and name that folder", field="model"
        )
    if folder.is_dir() and not (folder / "config.json").is_file():
        raise NotFound(f"{model} holds no config.json: name the folder of a whole checkpoint", field="model")
    try:
        whole = AutoConfig.from_pretrained(model, trust_remote_code=trust_remote_code, revision=revision)
        text = whole.get_text_config(decoder=True)
    except OSError as error:
        raise NotFound(
            f"no model can be read from {model}: name a folder that holds config.json, or a Hugging Face id "
            f"({first_line(error)})",
            field="model",
        ) from error
    except Exception as error:  # a library reads a file that we did not write: any exception may come
        raise Unsupported(f"the configuration of {model} cannot be used: {_why(error)}", field="model") from error
    return ModelConfig(
        whole=whole,
        text=text,
        family=str(whole.model_type),
        architectures=tuple(whole.architectures or ()),
        context_length=_count(text, "max_position_embeddings", "n_positions", "max_sequence_length", "seq_length"),
        vocabulary=_count(text, "vocab_size"),
    )


def check_weights(model: str, loaded: Mapping[str, Any]) -> None:
    """Checks what transformers reports of loading a model with `output_loading_info=True`.

    Raises:
        Unsupported: the checkpoint lacks weights, which transformers draws at random, or has them in another shape.
    """
    missing, odd = sorted(loaded["missing_keys"]), sorted(entry[0] for entry in loaded["mismatched_keys"])
    if missing:
        raise Unsupported(
            f"{model}: the checkpoint holds no weights for: {listed(missing)}; save the whole model, under these names",
            field="model",
        )
    if odd:
        raise Unsupported(
            f"{model}: the checkpoint's weights have another shape than its config.json says: {listed(odd)}",
            field="model",
        )


def listed(names: Sequence[str], most: int = 5) -> str:
    """The first `most` names, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def ids_of(value: Any) -> tuple[int, ...]:
    """The ids in a field that holds none, one, or a list."""
    if value is None:
        return ()
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def _why(error: Exception) -> str:
    said = str(error)
    if "trust_remote_code" in said:
        return "it needs code of its own, which is not run here; take a model that transformers knows"
    if "model type" in said or "model_type" in said:
        return f"this transformers does not know its model_type ({first_line(error)})"
    return first_line(error)


def _count(config: Any, *names: str) -> int | None:
    found = (getattr(config, name, None) for name in names)
    return next((value for value in found if isinstance(value, int) and value > 0), None)
