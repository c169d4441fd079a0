"""OpenAI's and vLLM's fields that shape which tokens are sampled."""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from services.gateway.api.field_types import Body
from shared.errors import InvalidRequest
from shared.records.evolution import EvolutionRequest
from shared.records.limits import LEAST_REPETITION_PENALTY, MAX_BIAS, MAX_BIASES, MAX_PENALTY, MAX_REPETITION_PENALTY

_TOKEN = r"^(0|[1-9][0-9]{0,8})$"
_FROM_THE_BEGINNING = "in whichever round of a search it came, and in a copied beginning too"


def _biases(value: Any) -> Any:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise ValueError("must be an object of token ids and their biases")
    if len(value) > MAX_BIASES:
        raise ValueError(f"must have at most {MAX_BIASES} entries, not {len(value)}")
    for token, bias in value.items():
        if not (isinstance(token, str) and re.fullmatch(_TOKEN, token)):
            raise ValueError('must have token ids for keys, which are whole numbers from 0, such as "42"')
        if isinstance(bias, bool) or not isinstance(bias, int | float) or not -MAX_BIAS <= bias <= MAX_BIAS:
            raise ValueError(f"must give numbers from {-MAX_BIAS:g} to {MAX_BIAS:g}; that of token {token} is none")
    return value


_Biases = Annotated[
    dict[str, float] | None,
    BeforeValidator(_biases),
    WithJsonSchema(
        {
            "anyOf": [
                {
                    "type": "object",
                    "maxProperties": MAX_BIASES,
                    "propertyNames": {"pattern": _TOKEN},
                    "additionalProperties": {"type": "number", "minimum": -MAX_BIAS, "maximum": MAX_BIAS},
                },
                {"type": "null"},
            ]
        }
    ),
]


class TokenShaping(Body):
    """Fields that shape which tokens are sampled. A deployment whose engine cannot obey one refuses it by its name."""

    presence_penalty: float | None = Field(
        default=None,
        ge=-MAX_PENALTY,
        le=MAX_PENALTY,
        description=f"Subtracted from the logit of each token that the response holds, {_FROM_THE_BEGINNING}. An "
        "endpoint that continues responses counts otherwise: there, methods that continue them refuse it.",
    )
    frequency_penalty: float | None = Field(
        default=None,
        ge=-MAX_PENALTY,
        le=MAX_PENALTY,
        description="As `presence_penalty`, for each time that the response holds the token.",
    )
    repetition_penalty: float | None = Field(
        default=None,
        ge=LEAST_REPETITION_PENALTY,
        le=MAX_REPETITION_PENALTY,
        description="vLLM's. The logits of tokens that the conversation or the response holds are divided by it where "
        "positive, and multiplied by it where not.",
    )
    logit_bias: _Biases = Field(
        default=None,
        description="What is added to the logits of tokens, by id in the vocabulary of the served model, from "
        f"{-MAX_BIAS:g} to {MAX_BIAS:g}. Ids beyond the vocabulary are refused.",
    )
    min_p: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="vLLM's. Tokens less likely than this share of the likeliest one's probability are not sampled.",
    )
    ignore_eos: bool | None = Field(
        default=None,
        description="vLLM's. Whether every response goes on to `max_tokens`, past where the model would end it. Not "
        "with a form of the answer or a demanded call, which end where they end; `stop` still ends one.",
    )


def shaping_of(body: TokenShaping) -> dict[str, Any]:
    """The values of a body, as fields of `shared.records.evolution.Sampling`; those that were left out are left out."""
    given = {name: getattr(body, name) for name in TokenShaping.model_fields if getattr(body, name) is not None}
    if "logit_bias" in given:
        # A bias of zero changes nothing, whether there is such a token or not.
        given["logit_bias"] = {int(token): float(bias) for token, bias in given["logit_bias"].items() if bias}
    return given


def check_endless(request: EvolutionRequest) -> None:
    """Raises InvalidRequest where responses are to go on past their end, and have a form that ends."""
    wanted, demanded = request.sampling.format, request.tool_use.choice == "required"
    if request.sampling.ignore_eos and (wanted is not None or demanded):
        raise InvalidRequest(
            f"ignore_eos must be false or left out beside {wanted.field if wanted else 'tool_choice'}: what has a form "
            "ends where its form does",
            field="ignore_eos",
        )
