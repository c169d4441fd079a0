"""What a component of a profile may say, by its type."""

import re
from math import isfinite
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    StrictBool,
    model_validator,
)

from services.reward.runtime import Dtype
from shared.text.template import SystemHandling

SHIPPED_HEAD = "quality.safetensors"
COMMIT = re.compile(r"[0-9a-f]{40}")

Api = Literal["vllm-classify", "vllm-pooling", "tei-predict", "openrlhf"]
Segments = Literal[1, 2]


def _matches(pattern: str, says: str) -> AfterValidator:
    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"must be {says}")
        return text

    return AfterValidator(check)


def _output(value: object) -> object:
    number = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if value is not None and not number and not (isinstance(value, str) and value):
        raise ValueError("must be the number of an output, from 0, or its name")
    return value


def _scalars(value: object) -> object:
    for name, each in value.items() if isinstance(value, dict) else ():
        if not (each is None or isinstance(each, bool | int | str) or (isinstance(each, float) and isfinite(each))):
            raise ValueError(f"must be text, numbers, true, false and null only, which {name!r} is not")
    return value


Name = Annotated[str, _matches(r"[a-z][a-z0-9_-]{0,63}", "1 to 64 of a-z, 0-9, - and _, with a letter first")]
Variable = Annotated[str, _matches(r"[A-Za-z_][A-Za-z0-9_]*", "the name of an environment variable")]
Device = Annotated[str, _matches(r"cpu|mps|(cuda|xpu)(:\d+)?", 'a torch device, such as "cuda:0"')]
Output = Annotated[int | str | None, BeforeValidator(_output)]
Arguments = Annotated[dict[str, bool | int | float | str | None], BeforeValidator(_scalars)]


class BaseSpec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: Name
    weight: FiniteFloat

    def scorer_key(self) -> str:
        """Equal for components that one scorer can serve, whatever their names and weights."""
        return self.model_dump_json(exclude={"name", "weight"})


class QualitySpec(BaseSpec):
    """`head`: a file beside the profile, in this package's `weights`, or an absolute path."""

    type: Literal["quality"]
    head: str = Field(default=SHIPPED_HEAD, min_length=1)


class GuardSpec(BaseSpec):
    type: Literal["guard"]


class FormSpec(BaseSpec):
    type: Literal["form"]


class RelevanceSpec(BaseSpec):
    """`threshold`: the cosine below which the hinge bites."""

    type: Literal["relevance"]
    threshold: FiniteFloat = Field(ge=-1, le=1)


class SimulatedSpec(BaseSpec):
    type: Literal["simulated"]


class TextSpec(BaseSpec):
    """How a conversation becomes what a reward model reads.

    `segments` 1: the tokenizer's chat template; 2: question and answer as two segments, joined by the tokenizer.
    `chat_template_arguments` are handed to the template, such as {enable_thinking: false}. `system` keeps the system
    text, folds it into the first user turn, or drops it. `max_tokens` bounds the conversation, answer included.
    """

    segments: Segments = 1
    chat_template_arguments: Arguments = Field(default_factory=dict)
    system: SystemHandling = "keep"
    max_tokens: int = Field(default=4096, ge=16)
    output: Output = None


class ModelSpec(TextSpec):
    """A sequence classifier in this process's charge.

    `model` is a folder or a Hugging Face id, `revision` a branch, tag or commit of the latter. `output` is the index or
    the name (of `id2label`) of the output that is the reward, where there are several. `trust_remote_code` runs Python
    code of the checkpoint: a local folder's, or that of one commit. `dtype` and `device` ("cuda:1") override those
    of the service.
    """

    model: str = Field(min_length=1)
    revision: str | None = Field(default=None, min_length=1)
    trust_remote_code: StrictBool = False
    dtype: Dtype | None = None
    device: Device | None = None

    @model_validator(mode="after")
    def _code_is_pinned(self) -> Self:
        pinned = self.revision is not None and COMMIT.fullmatch(self.revision)
        if self.trust_remote_code and not (pinned or Path(self.model).is_dir()):
            raise ValueError(
                "trust_remote_code needs a model that is a local folder, or a revision that is a commit's 40 hex digits"
            )
        return self


class ClassifierSpec(ModelSpec):
    """Served by transformers."""

    type: Literal["classifier"]


class VllmSpec(ModelSpec):
    """Served by vLLM.

    `gpu_memory_utilization` is the share of the card that it may take, weights and cache; on CPUs only `kv_cache_bytes`
    counts, its cache of keys and values. `tensor_parallel` is the number of GPUs, from the device's on, that share the
    model.
    """

    type: Literal["vllm"]
    kv_cache_bytes: int | None = Field(default=None, ge=1024**2)
    gpu_memory_utilization: float = Field(default=0.3, gt=0, le=1)
    tensor_parallel: int = Field(default=1, ge=1)


class HttpSpec(TextSpec):
    """Served by a server of the user's at `url`.

    `key_env` names the environment variable, `key_file` the file, that holds its key. `model` is the name by which the
    server knows the model. With `tokenizer`, a folder or a Hugging Face id, conversations are rendered here; without
    it, they are sent as `api` takes them. `max_batch` conversations travel in one request, `concurrency` requests at
    once.
    """

    type: Literal["http"]
    api: Api
    url: str = Field(min_length=1)
    key_env: Variable | None = None
    key_file: Path | None = None
    model: str | None = Field(default=None, min_length=1)
    tokenizer: str | None = Field(default=None, min_length=1)
    timeout_s: FiniteFloat = Field(default=30.0, gt=0, le=600)
    max_batch: int = Field(default=16, ge=1, le=1024)
    concurrency: int = Field(default=4, ge=1, le=256)

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        if self.key_env is not None and self.key_file is not None:
            raise ValueError("key_env and key_file exclude each other")
        return self

    @model_validator(mode="after")
    def _fits_its_api(self) -> Self:
        named = self.api == "tei-predict"
        if self.output is not None and isinstance(self.output, str) != named:
            what = "a label's name" if named else "a number"
            raise ValueError(f"output must be {what} for api {self.api}, whose answers tell outputs apart by that")
        if self.segments == 2 and self.api == "openrlhf":
            raise ValueError("segments must be 1 for api openrlhf, which takes one text")
        if self.tokenizer is None and self.system == "fold":
            raise ValueError("system: fold needs a tokenizer, by whose template it is folded")
        return self


Spec = QualitySpec | GuardSpec | FormSpec | RelevanceSpec | ClassifierSpec | VllmSpec | HttpSpec | SimulatedSpec
TYPES: tuple[str, ...] = tuple(get_args(spec.model_fields["type"].annotation)[0] for spec in get_args(Spec))
