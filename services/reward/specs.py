"""What components of a profile have in common: the base classes of their types, which `registry` lists."""

import re
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable
from math import isfinite
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    StrictBool,
    StringConstraints,
    model_validator,
)

from services.reward.runtime import Runtime
from services.reward.scorer import BlockingScorer, Comparer, ComponentScorer
from services.reward.threads import ThreadScorer
from shared.process.number_types import Dtype
from shared.records.limits import MOST_ALTERNATIVES
from shared.text.template import SystemHandling

WEIGHTS = Path(__file__).parent / "weights"
"""Heads and length curves that ship with Darwin."""

COMMIT = re.compile(r"[0-9a-f]{40}")

LEAST_BETA, MOST_BETA = 0.05, 100.0
"""Within these the fixed point of win rates is found in a moment, and is no even draw."""

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


def refuse_doubles(names: Iterable[str], what: str) -> None:
    """Raises ValueError where a name stands twice."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"names two {what} {twice[0]!r}")


def part_names(component: str, parts: Iterable[str]) -> list[str]:
    """By which names the parts of a component are told and required."""
    return [f"{component}.{part}" for part in parts]


class ComponentSpec(BaseModel):
    """What a profile says of one component; a type of component is a subclass with a `type` of its own. With
    `transform: quantile`, its value is the quantile among those of the profile's reference sample; with `win_rate`, how
    often it wins among the responses that are scored together, at WIND's fixed point for `beta`."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: Name
    weight: FiniteFloat
    type: str
    transform: Literal["quantile", "win_rate"] | None = None
    beta: FiniteFloat | None = Field(default=None, ge=LEAST_BETA, le=MOST_BETA)

    @model_validator(mode="after")
    def _beta_fits(self) -> Self:
        if (self.beta is not None) != (self.transform == "win_rate"):
            raise ValueError("needs beta for transform: win_rate, and for no other")
        return self

    @property
    def relative(self) -> bool:
        """Whether its values compare the responses that are scored together."""
        return self.transform == "win_rate"

    @property
    def self_certainty(self) -> bool:
        """Whether its values need the language model's self-certainty."""
        return False

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of the parts that its scores have."""
        return ()

    @abstractmethod
    def create(self, runtime: Runtime) -> ComponentScorer | Comparer:
        """The component's scorer, not loaded yet; the library that it needs is imported when it loads."""

    def scorer_key(self) -> str:
        """Equal for components that one scorer can serve, whatever their names, weights and transforms."""
        return self.model_dump_json(exclude={"name", "weight", "transform", "beta"})


class InProcessSpec(ComponentSpec):
    """A component whose scorer computes in this process, on a thread of its own."""

    def create(self, runtime: Runtime) -> ComponentScorer:
        return ThreadScorer(lambda: self.create_blocking(runtime), self.type)

    @abstractmethod
    def create_blocking(self, runtime: Runtime) -> BlockingScorer:
        """The scorer, not loaded yet; called on its thread, so that its module is imported there."""


class TextSpec(ComponentSpec):
    """How a conversation is turned into what a reward model reads.

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
    """A sequence classifier that this process loads.

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


class JudgeSpec(ComponentSpec):
    """A component whose scores a language model gives, which is asked questions that it answers by yes or no.

    Without `url` it is the generation service's own; else `model` at an OpenAI-compatible endpoint, whose `url` ends
    before /chat/completions and whose key `key_env` or `key_file` names. The probabilities of the `alternatives`
    likeliest first tokens of its answer are read. Of conversation and response it sees `max_characters`: whole oldest
    turns go first, then the beginnings of what is left. `concurrency` requests are under way at an endpoint at once.
    """

    url: str | None = Field(default=None, min_length=1)
    model: str | None = Field(default=None, min_length=1)
    key_env: Variable | None = None
    key_file: Path | None = None
    chat_template_arguments: Arguments = Field(default_factory=dict)
    alternatives: int = Field(default=MOST_ALTERNATIVES, ge=2, le=MOST_ALTERNATIVES)
    max_characters: int = Field(default=16_000, ge=1_000, le=200_000)
    timeout_s: FiniteFloat = Field(default=30.0, gt=0, le=600)
    concurrency: int = Field(default=16, ge=1, le=256)

    @model_validator(mode="after")
    def _fits_its_place(self) -> Self:
        if self.url is None and (self.model or self.key_env or self.key_file):
            raise ValueError("model, key_env and key_file need a url: without one, generation's own model judges")
        if self.url is not None and self.model is None:
            raise ValueError("a url needs a model: the name by which the endpoint knows it")
        if self.key_env is not None and self.key_file is not None:
            raise ValueError("key_env and key_file exclude each other")
        return self


CriterionText = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=500),
    AfterValidator(lambda text: " ".join(text.split())),
]


class Criterion(BaseModel):
    """What a response should be or do, in plain words; one with a negative `weight` is what it should not. What the
    judge says of one with a `name` is told, and may be required, by the component's name and this."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    text: CriterionText
    weight: FiniteFloat = 1.0
    name: Name | None = None

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, given: object) -> object:
        return {"text": given} if isinstance(given, str) else given

    @model_validator(mode="after")
    def _counts(self) -> Self:
        if not self.weight:
            raise ValueError("a criterion's weight must not be 0: leave the criterion out")
        return self
