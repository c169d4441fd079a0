"""The settings of an evolution, as the API shows them."""

import operator
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from services.gateway.api.message_bodies import EvolutionFormat
from services.gateway.config.search_fields import with_search_settings
from shared.records.efforts import Effort
from shared.records.evolution import Sampling, ServiceTier

_PLAIN = Sampling(max_tokens=0)


def _is_none(value: object) -> bool:
    return value is None


def _is_plain(name: str) -> Any:
    return lambda value: value == getattr(_PLAIN, name)


class ShapingSettings(BaseModel):
    """What shapes sampling besides temperature and the like; what has no effect is left out."""

    model_config = ConfigDict(frozen=True)

    presence_penalty: float = Field(default=0.0, exclude_if=_is_plain("presence_penalty"))
    frequency_penalty: float = Field(default=0.0, exclude_if=_is_plain("frequency_penalty"))
    repetition_penalty: float = Field(default=1.0, exclude_if=_is_plain("repetition_penalty"))
    logit_bias: dict[int, float] = Field(
        default={}, exclude_if=_is_plain("logit_bias"), description="Biases by token id."
    )
    min_p: float = Field(default=0.0, exclude_if=_is_plain("min_p"))
    ignore_eos: bool = Field(default=False, exclude_if=_is_plain("ignore_eos"))


@with_search_settings(accepted=False)
class EvolutionSettings(ShapingSettings):
    """Everything that determined the search, defaults filled in."""

    max_tokens: int
    temperature: float
    top_p: float
    top_k: int
    stop: list[str]
    format: EvolutionFormat | None = Field(description="What every response had to be; null for any text.")
    logprobs: int | None = Field(default=None, exclude_if=_is_none, description="Alternatives of each token.")
    n: int
    seed: int = Field(description="As given, else as drawn at acceptance.")
    seeded: bool = Field(description="Whether the caller gave the seed, so that sampling follows it too.")
    profile: str
    profile_owner: str | None = Field(
        default=None,
        exclude_if=_is_none,
        description="The tenant whose own the profile is; empty where all may use it. Left out of one that is not "
        "managed.",
    )
    wishes: tuple[str, ...] = Field(
        default=(),
        exclude_if=operator.not_,
        description="What the profile rewards in plain words, which mutants told the language model where nothing in "
        "the conversation demanded otherwise.",
    )
    raw_prompt: bool = Field(
        default=False,
        exclude_if=operator.not_,
        description="Whether the message is a prompt that was continued as it stands, without a chat template.",
    )
    template_arguments: dict[str, Any] = Field(
        default={}, exclude_if=operator.not_, description="What the chat template was given (`chat_template_kwargs`)."
    )
    reasoning_effort: Effort | None = Field(default=None, exclude_if=_is_none, description="As given.")
    include_reasoning: bool = Field(default=True, exclude_if=bool, description="Whether answers tell what was thought.")
    relative_rewards: bool = Field(
        default=False,
        exclude_if=operator.not_,
        description="Whether rewards compare the responses that were scored together (`population.scored`).",
    )
    self_certainty: bool = Field(
        default=False,
        exclude_if=operator.not_,
        description="Whether rewards need how certain the language model was (`self_certainty` in a profile).",
    )
    service_tier: ServiceTier = Field(default="default", exclude_if=lambda tier: tier == "default")
