"""Further arguments of vLLM's engine, checked against vLLM's own names and types before anything is loaded."""

import json
from collections.abc import Mapping
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from shared.errors import Unsupported
from shared.process.settings import reasons

_SETTING = "DARWIN_GENERATION_VLLM_ARGUMENTS"
_OWN_SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "model": "DARWIN_GENERATION_MODEL",
        "tokenizer": "DARWIN_GENERATION_MODEL",
        "dtype": "DARWIN_GENERATION_DTYPE",
        "max_model_len": "DARWIN_GENERATION_MAX_MODEL_LEN",
        "max_num_seqs": "DARWIN_GENERATION_MAX_RUNNING",
        "tensor_parallel_size": "DARWIN_GENERATION_TENSOR_PARALLEL",
        "kv_cache_memory_bytes": "DARWIN_GENERATION_KV_CACHE_GIB",
        "gpu_memory_utilization": "DARWIN_GENERATION_GPU_MEMORY_UTILIZATION",
    }
)
"""Arguments that have settings of their own."""

_RELIED_ON = frozenset(
    {
        *("tokenizer_mode", "tokenizer_revision", "skip_tokenizer_init", "served_model_name", "runner", "convert"),
        *("seed", "enable_prefix_caching", "logits_processors", "max_logprobs", "logprobs_mode", "generation_config"),
        *("disable_log_stats", "use_tqdm_on_load", "enable_log_requests", "otlp_traces_endpoint"),
    }
)
"""Arguments that Darwin sets as it needs them."""

SPECULATIVE = "speculative_config"
REVISION = "revision"
# What a model's folder holds that is read: no second copy of its weights in another form.
_READ = ("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja", "*.tiktoken", "*.py")


def read_object(text: str) -> dict[str, Any]:
    """The arguments as JSON gives them, unchecked; none where the text is empty.

    Raises:
        ValueError: it is no JSON object.
    """
    try:
        found = json.loads(text) if text.strip() else {}
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ValueError('must be a JSON object of vLLM\'s engine arguments, such as {"quantization": "fp8"}')
    return found


def check_arguments(given: Mapping[str, Any], kind: type[Any]) -> dict[str, Any]:
    """The arguments as values of vLLM's own types; `kind` is its `AsyncEngineArgs`.

    Raises:
        Unsupported: one is unknown, of another type, or Darwin's own; the message says what to do.
    """
    names = {field.name for field in fields(kind) if not field.name.startswith("_")}
    return {name: _checked(name, value, names, kind) for name, value in given.items()}


def _checked(name: str, value: Any, names: set[str], kind: type[Any]) -> Any:
    if name in _OWN_SETTINGS:
        raise Unsupported(f"{_SETTING}: {name} has a setting of its own: set {_OWN_SETTINGS[name]}")
    if name in _RELIED_ON:
        raise Unsupported(f"{_SETTING}: Darwin sets {name} as it needs it: leave it out")
    if name not in names:
        near = get_close_matches(name, names - _OWN_SETTINGS.keys() - _RELIED_ON, 1)
        raise Unsupported(
            f"{_SETTING}: vLLM knows no engine argument {name[:64]}{f'; is {near[0]} meant?' if near else ''}"
        )
    hint = _hint(name, kind)
    adapter = TypeAdapter(hint, config=_config(hint))
    try:
        return adapter.validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        raise Unsupported(f"{_SETTING}: {name} is of another type in vLLM: {reasons(error)[0]}") from None


def _hint(name: str, kind: type[Any]) -> Any:
    """The type of one argument; anything where vLLM names a type that it imports for type checkers only."""
    owner = next(each for each in kind.__mro__ if name in vars(each).get("__annotations__", ()))
    alone = type("Alone", (), {"__annotations__": {name: owner.__annotations__[name]}, "__module__": owner.__module__})
    try:
        return get_type_hints(alone)[name]
    except NameError:
        return Any


def _config(hint: Any) -> ConfigDict | None:
    """Types that have a configuration of their own take no other."""
    return None if hasattr(hint, "__pydantic_config__") else ConfigDict(arbitrary_types_allowed=True)


def pinned(model: str, revision: str | None) -> str:
    """The folder with this revision of a model of the Hugging Face hub, from which tokenizer and weights are read
    alike; the model itself where no revision is wanted.

    Raises:
        Unsupported: the model is a folder, which has no revisions.
    """
    if revision is None:
        return model
    if Path(model).is_dir():
        raise Unsupported(f"{_SETTING}: {model} is a folder and has no {REVISION}: leave it out")
    from huggingface_hub import snapshot_download

    return str(snapshot_download(model, revision=revision, allow_patterns=list(_READ)))
