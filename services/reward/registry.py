"""The component types: what a profile may say of each, and the scorer that serves it.

A new type is a scorer's module and a class here, listed in `COMPONENT_TYPES`: profiles take the types from that list.
Scorers are imported when they load and not before, so that reading a profile needs no library of theirs.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self, Union, get_args

from pydantic import Field, FiniteFloat, StrictBool, field_validator, model_validator

from services.reward.rules.checks import MOST_CHECKS, AnyCheck, Check
from services.reward.runtime import Runtime
from services.reward.scorer import BlockingScorer, Comparer, ComponentScorer
from services.reward.specs import (
    ComponentSpec,
    Criterion,
    CriterionText,
    InProcessSpec,
    JudgeSpec,
    ModelSpec,
    TextSpec,
    Variable,
    refuse_doubles,
)

SHIPPED_HEAD = "quality.safetensors"

ApiName = Literal["vllm-classify", "vllm-pooling", "tei-predict", "openrlhf"]


class QualitySpec(InProcessSpec):
    """The embedded quality reward. `head`: a file beside the profile, in this package's `weights`, or an absolute
    path.

    `kappa` is how many standard deviations under the head's posterior are taken from a score; `abstain` says of
    responses that are empty or out of distribution that they are.
    """

    type: Literal["quality"]
    head: str = Field(default=SHIPPED_HEAD, min_length=1)
    kappa: FiniteFloat = Field(default=0.0, ge=0)
    abstain: StrictBool = False

    def create_blocking(self, runtime: Runtime) -> BlockingScorer:
        from services.reward.quality import QualityScorer

        return QualityScorer(self.head, runtime, self.kappa, abstain=self.abstain)


class GuardSpec(InProcessSpec):
    """The penalty for degenerate text."""

    type: Literal["guard"]

    def create_blocking(self, runtime: Runtime) -> BlockingScorer:
        from services.reward.guard import GuardScorer

        return GuardScorer()


class FormSpec(InProcessSpec):
    """The penalty for answers that have not the form that the conversation demands."""

    type: Literal["form"]

    def create_blocking(self, runtime: Runtime) -> BlockingScorer:
        from services.reward.form.scorer import FormScorer

        return FormScorer()


class RelevanceSpec(InProcessSpec):
    """Whether an answer is on topic. `threshold`: the cosine below which an answer loses."""

    type: Literal["relevance"]
    threshold: FiniteFloat = Field(ge=-1, le=1)

    def create_blocking(self, runtime: Runtime) -> BlockingScorer:
        from services.reward.relevance import RelevanceScorer

        return RelevanceScorer(self.threshold, runtime)


class ClassifierSpec(ModelSpec, InProcessSpec):
    """A reward model served by transformers."""

    type: Literal["classifier"]

    def create_blocking(self, runtime: Runtime) -> BlockingScorer:
        from services.reward.classifier import ClassifierScorer

        return ClassifierScorer(self, runtime)


class VllmSpec(ModelSpec):
    """A reward model served by vLLM.

    `gpu_memory_utilization` is the share of the card that it may take, weights and cache; on CPUs only `kv_cache_bytes`
    counts, its cache of keys and values. `tensor_parallel` is the number of GPUs, from the device's on, that share the
    model.
    """

    type: Literal["vllm"]
    kv_cache_bytes: int | None = Field(default=None, ge=1024**2)
    gpu_memory_utilization: float = Field(default=0.3, gt=0, le=1)
    tensor_parallel: int = Field(default=1, ge=1)

    def create(self, runtime: Runtime) -> ComponentScorer:
        from services.reward.vllm_scorer import VllmScorer

        return VllmScorer(self, runtime)


class HttpSpec(TextSpec):
    """A reward model at a server of the user's, at `url`.

    `key_env` names the environment variable, `key_file` the file, that holds its key. `model` is the name by which the
    server knows the model. With `tokenizer`, a folder or a Hugging Face id, conversations are rendered here; without
    it, they are sent as `api` takes them. `max_batch` conversations travel in one request, `concurrency` requests at
    once.
    """

    type: Literal["http"]
    api: ApiName
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
            raise ValueError(f"output must be {what} for api {self.api}, whose responses name outputs by that")
        if self.segments == 2 and self.api == "openrlhf":
            raise ValueError("segments must be 1 for api openrlhf, which takes one text")
        if self.tokenizer is None and self.system == "fold":
            raise ValueError("system: fold needs a tokenizer, by whose template it is folded")
        return self

    def create(self, runtime: Runtime) -> ComponentScorer:
        from services.reward.remote.scorer import HttpScorer

        return HttpScorer(self, runtime)


class SimulatedSpec(InProcessSpec):
    """A number without a model, for tests and studies of scale."""

    type: Literal["simulated"]

    def create_blocking(self, runtime: Runtime) -> BlockingScorer:
        from services.reward.simulated import SimulatedScorer

        return SimulatedScorer()


class RulesSpec(InProcessSpec):
    """Checks that are declared here. `tokenizer` counts the tokens of a length, a folder or a Hugging Face id; without
    it the embedded language model's does."""

    type: Literal["rules"]
    checks: tuple[AnyCheck, ...] = Field(min_length=1, max_length=MOST_CHECKS)
    tokenizer: str | None = Field(default=None, min_length=1)

    @field_validator("checks")
    @classmethod
    def _names_differ(cls, checks: tuple[Check, ...]) -> tuple[Check, ...]:
        refuse_doubles((check.name for check in checks), "checks")
        return checks

    @property
    def parts(self) -> tuple[str, ...]:
        return tuple(check.name for check in self.checks)

    def create_blocking(self, runtime: Runtime) -> BlockingScorer:
        from services.reward.rules.scorer import RulesScorer

        return RulesScorer(self.checks, self.tokenizer)


class RubricSpec(JudgeSpec):
    """Criteria in plain words, judged by a language model."""

    type: Literal["rubric"]
    criteria: tuple[Criterion, ...] = Field(min_length=1, max_length=16)

    @field_validator("criteria")
    @classmethod
    def _names_differ(cls, criteria: tuple[Criterion, ...]) -> tuple[Criterion, ...]:
        refuse_doubles((each.name for each in criteria if each.name), "criteria")
        return criteria

    @property
    def parts(self) -> tuple[str, ...]:
        return tuple(each.name for each in self.criteria if each.name)

    def create(self, runtime: Runtime) -> ComponentScorer:
        from services.reward.rubric import RubricScorer

        return RubricScorer(self, runtime)


class PairwiseSpec(JudgeSpec):
    """Responses that a language model compares with each other by a `criterion`: its scores are their places. At most
    so many `comparisons` are made in a call, each by two questions."""

    type: Literal["pairwise"]
    criterion: CriterionText = "it does what the user asks for, and what it says is true"
    comparisons: int = Field(default=64, ge=1, le=1024)

    @model_validator(mode="after")
    def _is_no_sum(self) -> Self:
        if self.transform is not None:
            raise ValueError("takes no transform: its values are places among the responses, from 0 to 1")
        return self

    @property
    def relative(self) -> bool:
        return True

    def create(self, runtime: Runtime) -> Comparer:
        from services.reward.pairwise.scorer import PairwiseScorer

        return PairwiseScorer(self, runtime)


class SelfCertaintySpec(InProcessSpec):
    """How certain the language model was of what it said, as generation tells with the tokens."""

    type: Literal["self_certainty"]

    @model_validator(mode="after")
    def _has_no_sample(self) -> Self:
        if self.transform == "quantile":
            raise ValueError("takes no transform: quantile, as a sample's answers do not tell how certain a model was")
        return self

    @property
    def self_certainty(self) -> bool:
        return True

    def create_blocking(self, runtime: Runtime) -> BlockingScorer:
        from services.reward.self_certainty import SelfCertaintyScorer

        return SelfCertaintyScorer()


COMPONENT_TYPES: tuple[type[ComponentSpec], ...] = (
    QualitySpec,
    GuardSpec,
    FormSpec,
    RelevanceSpec,
    ClassifierSpec,
    VllmSpec,
    HttpSpec,
    SimulatedSpec,
    RulesSpec,
    RubricSpec,
    PairwiseSpec,
    SelfCertaintySpec,
)
TYPES: tuple[str, ...] = tuple(get_args(spec.model_fields["type"].annotation)[0] for spec in COMPONENT_TYPES)
"""What `type` may be."""

# Type checkers know no union that is made of a list; pydantic does, and chooses from it by `type`.
if TYPE_CHECKING:
    Spec = ComponentSpec
else:
    Spec = Annotated[Union[COMPONENT_TYPES], Field(discriminator="type")]  # noqa: UP007  # of a list
    """A component of any type."""
