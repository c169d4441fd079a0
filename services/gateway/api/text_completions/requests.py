"""Body of `POST /v1/completions`."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from services.gateway.api.field_kinds import NotSupported, WithoutEffect
from services.gateway.api.field_types import ENCODABLE, MAX_TEXT, Text
from services.gateway.api.formats import ResponseFormatBody, StructuredOutputs
from services.gateway.api.requests import SearchSettings, StopField, StreamOptions
from services.gateway.api.service_tiers import SERVICE_TIER, ServiceTierField
from services.gateway.api.token_shaping import TokenShaping
from services.gateway.config.model_entry import MAX_MODEL_NAME
from services.gateway.config.search_fields import WHOLE

_NO_BEAMS = "beam search is not supported"
_MOST_IDS = 1_000_000
_MOST_LOGPROBS = 5
_LARGEST_ID = 2**31 - 1
_MOST_PROMPTS = 128
_EMPTY = "must not be empty: there is nothing to continue"


def _prompts(value: Any) -> list[str | list[int]]:
    """The prompts, each a text or a list of token ids, whichever way they were given."""
    several = isinstance(value, list) and bool(value) and isinstance(value[0], str | list)
    prompts = value if several else [value]
    if len(prompts) > _MOST_PROMPTS:
        raise ValueError(f"must hold at most {_MOST_PROMPTS} prompts")
    return [_checked(prompt) for prompt in prompts]


def _checked(prompt: Any) -> str | list[int]:
    if isinstance(prompt, str):
        return _checked_text(prompt)
    if isinstance(prompt, list):
        return _checked_ids(prompt)
    raise ValueError("must be a string, a list of token ids, or a list of either")


def _checked_text(text: str) -> str:
    if not text:
        raise ValueError(_EMPTY)
    if len(text) > MAX_TEXT:
        raise ValueError(f"must have at most {MAX_TEXT:,} characters")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("must be Unicode text: it holds an unpaired surrogate") from None
    return text


def _checked_ids(ids: list[Any]) -> list[int]:
    if not ids:
        raise ValueError(_EMPTY)
    if len(ids) > _MOST_IDS:
        raise ValueError(f"must have at most {_MOST_IDS:,} token ids")
    if not all(type(each) is int and 0 <= each <= _LARGEST_ID for each in ids):
        raise ValueError("must be a string, a list of token ids, which are whole numbers from 0, or a list of either")
    return ids


_Id = Annotated[int, Field(ge=0, le=_LARGEST_ID)]
_Ids = Annotated[list[_Id], Field(min_length=1, max_length=_MOST_IDS)]
_PromptText = Annotated[str, Field(min_length=1, max_length=MAX_TEXT)]
_Texts = Annotated[list[_PromptText], Field(min_length=1, max_length=_MOST_PROMPTS)]
_ListsOfIds = Annotated[list[_Ids], Field(min_length=1, max_length=_MOST_PROMPTS)]


class CompletionRequest(TokenShaping):
    """Body of `POST /v1/completions`."""

    model: Text = Field(
        max_length=MAX_MODEL_NAME,
        description="As of a chat completion. A prompt is never rewritten: `darwin` replaces responses and mutates "
        "nothing, which a warning says, and `mutation-only` is refused.",
    )
    prompt: Annotated[
        Any, BeforeValidator(_prompts, json_schema_input_type=_PromptText | _Ids | _Texts | _ListsOfIds)
    ] = Field(
        description="What is continued, as it stands: a text, in which control tokens that it spells count as "
        f"such, token ids of the model, or a list of up to {_MOST_PROMPTS} of either. Each prompt is an evolution of "
        "its own."
    )
    temperature: float | None = Field(default=None, ge=0, le=2, description="Default: 0.7. 0 decodes greedily.")
    top_p: float | None = Field(default=None, gt=0, le=1, description="Default: 1.")
    top_k: Annotated[int | None, Field(ge=-1, le=2**31 - 1), WHOLE] = Field(
        default=None,
        description="How many of the likeliest tokens each is drawn from; 0 and -1: all. Default: 40.",
    )
    max_tokens: Annotated[int | None, Field(ge=1), WHOLE] = Field(
        default=None, description="Tokens per continuation at most; default: 16. The maximum is the deployment's."
    )
    seed: Annotated[int | None, Field(ge=-(2**63), le=2**63 - 1), WHOLE] = Field(
        default=None, description="As of a chat completion."
    )
    stop: StopField = Field(default=None, description="Where a response ends; the string itself is left out of it.")
    n: Annotated[int | None, Field(ge=1, le=257), WHOLE] = Field(
        default=None, description="As of a chat completion: the best distinct continuations, best first."
    )
    best_of: Annotated[int | None, Field(ge=1, le=257), WHOLE] = Field(
        default=None,
        description="How many continuations the `n` best are chosen among at least. `best-of-n` decodes so many where "
        "darwin.mutants and darwin.cycles are left out; other methods refuse more than they decode.",
    )
    response_format: ResponseFormatBody | None = Field(
        default=None, description="The form of the continuation, in which every candidate is decoded."
    )
    structured_outputs: StructuredOutputs | None = Field(
        default=None, description="The form of the answer as vLLM takes it; not beside `response_format`."
    )
    logprobs: Annotated[int | None, Field(ge=0, le=_MOST_LOGPROBS), WHOLE] = Field(
        default=None,
        description="How many of the likeliest tokens come with each token that the text shows, with their log "
        "probabilities and its own; as `logprobs` and `top_logprobs` of a chat completion.",
    )
    stream: bool | None = Field(default=None, description="Whether to answer with server-sent events.")
    stream_options: StreamOptions | None = Field(default=None, description="Only with `stream`.")
    user: Annotated[str, Field(max_length=256), ENCODABLE] | None = Field(
        default=None, description="Your name for the end user; kept with the evolution."
    )
    service_tier: ServiceTierField = Field(default=None, description=SERVICE_TIER)
    darwin: SearchSettings | None = Field(default=None, description="How the answer is searched for.")

    prompt_cache_key: Annotated[Text | None, WithoutEffect()] = Field(
        default=None, description="Every prefix is cached where the engine can."
    )

    add_special_tokens: Annotated[Any, NotSupported(True, why="a text begins as the tokenizer begins one")] = None
    echo: Annotated[Any, NotSupported(False, why="answers do not repeat the prompt")] = None
    length_penalty: Annotated[Any, NotSupported(1, why=_NO_BEAMS)] = None
    prompt_logprobs: Annotated[Any, NotSupported(why="those of a prompt are not supported")] = None
    skip_special_tokens: Annotated[Any, NotSupported(True, why="answers hold no special tokens")] = None
    suffix: Annotated[Any, NotSupported("", why="models continue a prompt and fill no gaps")] = None
    use_beam_search: Annotated[Any, NotSupported(False, why=_NO_BEAMS)] = None
