"""Request bodies, as /openapi.json and docs/api.md document them.

Nothing is dropped silently: a field is obeyed, or taken without effect and named in the answer's warnings
(`WithoutEffect`), or accepts only what changes nothing (`NotSupported`); anything undeclared is refused.
"""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from services.gateway.api.conversation import ChatMessage
from services.gateway.api.field_kinds import NotSupported, WithoutEffect
from services.gateway.api.field_types import ENCODABLE, Body, Text
from services.gateway.api.formats import ResponseFormatBody, StructuredOutputs
from services.gateway.api.progress import ProgressMode
from services.gateway.api.service_tiers import SERVICE_TIER, ServiceTierField
from services.gateway.api.template_arguments import TemplateArguments
from services.gateway.api.token_shaping import TokenShaping
from services.gateway.api.tools import FunctionChoice, FunctionDefinition, ToolChoiceField, Tools
from services.gateway.api.vllm_fields import VllmFields
from services.gateway.config.model_entry import MAX_MODEL_NAME, PROFILE_PATTERN
from services.gateway.config.search_fields import WHOLE, with_search_settings
from shared.methods import METHODS
from shared.records.efforts import Effort
from shared.records.limits import (
    MAX_CYCLES,
    MAX_MESSAGES,
    MAX_MUTANTS,
    MAX_STOP_CHARACTERS,
    MAX_STOPS,
    MAX_TEMPERATURE,
    MAX_TEMPLATE_ARGUMENTS,
    MAX_TOOLS,
    MOST_ALTERNATIVES,
)
from shared.records.search import EFFORT_SETTINGS, Preset

_NO_BEAMS = "beam search is not supported"
_TEXT_ONLY = "answers are text"


def _stops(value: Any) -> Any:
    if value is None or isinstance(value, list):
        return value
    if isinstance(value, str):
        return [value]
    raise ValueError("must be a string or a list of strings")


def _search_of(effort: Effort) -> str:
    """The mutants and cycles of an effort, in words."""
    settings = EFFORT_SETTINGS[effort]
    return f"{settings['mutants']} and {settings['cycles']}" if settings else "the defaults"


_Stop = Annotated[str, Field(min_length=1, max_length=MAX_STOP_CHARACTERS), ENCODABLE]
_Stops = Annotated[list[_Stop], Field(max_length=MAX_STOPS)]
StopField = Annotated[_Stops | None, BeforeValidator(_stops, json_schema_input_type=_Stop | _Stops | None)]
_Key = Annotated[str, Field(max_length=64)]
_Value = Annotated[str, Field(max_length=512), ENCODABLE]


@with_search_settings(accepted=True)
class SearchSettings(Body):
    """How the answer is searched for; sent as `extra_body={"darwin": {...}}` with the OpenAI SDK."""

    preset: Preset = Field(
        default="default",
        description="Where the settings that are left out come from: Darwin's own defaults, or those of the paper's "
        "code (`paper`: period 40, 3 survivors, 5 mutants, written by the language model). Default: those of the "
        "model's name.",
    )
    profile: str = Field(
        default="",
        pattern=PROFILE_PATTERN,
        description="The reward profile that responses are scored under: a name, which means the version that is "
        "promoted when the request is accepted, or `name@version`. Empty: that of the API key, or else the "
        "deployment's default.",
    )
    progress: ProgressMode = Field(
        default="on",
        description="What a stream reports of the search, in chunks with an empty delta: numbers of each event "
        "(`on`), whole events with the texts of all responses (`full`, often a thousand times the answer's size), or "
        "nothing (`off`). Changes nothing of the search.",
    )


class EvolutionSearchSettings(SearchSettings):
    """How the answer is searched for."""

    progress: Annotated[ProgressMode, WithoutEffect("on")] = Field(
        default="on", description="Progress is read at `GET /v1/evolutions/{id}/events`."
    )


class StreamOptions(Body):
    """What a stream carries beside the answer."""

    include_usage: bool | None = Field(
        default=None, description="Whether a last chunk without choices carries `usage` (and `usage.darwin`)."
    )
    include_obfuscation: Annotated[bool | None, WithoutEffect(False)] = Field(
        default=None, description="Chunks are not padded."
    )
    continuous_usage_stats: Annotated[bool | None, WithoutEffect(False)] = Field(
        default=None, description="Usage is known at the end; progress chunks say what the search has done."
    )


class _WithoutEffect(Body):
    """Parameters of OpenAI's that are taken without effect."""

    prediction: Annotated[dict[str, Any] | None, WithoutEffect()] = Field(
        default=None, description="What the answer may be is no help to a search: it takes as long, and costs as much."
    )
    prompt_cache_key: Annotated[Text | None, WithoutEffect()] = Field(
        default=None, description="Every prefix is cached where the engine can."
    )
    prompt_cache_retention: Annotated[Text | None, WithoutEffect()] = Field(
        default=None, description="A prefix stays cached for as long as the engine has room."
    )
    prompt_cache_options: Annotated[dict[str, Any] | None, WithoutEffect({})] = Field(
        default=None, description="Every prefix is cached where the engine can, for as long as it has room."
    )
    safety_identifier: Annotated[Text | None, WithoutEffect()] = Field(
        default=None, description="`user` is kept with the evolution."
    )
    store: Annotated[bool | None, WithoutEffect(False)] = Field(
        default=None, description="Every evolution is kept for as long as the deployment keeps its record."
    )
    verbosity: Annotated[Literal["low", "medium", "high"] | None, WithoutEffect()] = Field(
        default=None, description="Ask for it in the conversation."
    )


class _NotSupported(Body):
    """Parameters of OpenAI's and vLLM's that are not supported: each accepts null and what changes nothing."""

    audio: Annotated[Any, NotSupported(why=_TEXT_ONLY)] = None
    best_of: Annotated[Any, NotSupported(1, why="choose the model best-of-n, and set darwin.mutants")] = None
    echo: Annotated[Any, NotSupported(False, why="answers do not repeat the conversation")] = None
    length_penalty: Annotated[Any, NotSupported(1, why=_NO_BEAMS)] = None
    modalities: Annotated[Any, NotSupported(["text"], why=_TEXT_ONLY)] = None
    moderation: Annotated[Any, NotSupported(why="moderation is not supported")] = None
    skip_special_tokens: Annotated[Any, NotSupported(True, why="answers hold no special tokens")] = None
    use_beam_search: Annotated[Any, NotSupported(False, why=_NO_BEAMS)] = None
    web_search_options: Annotated[Any, NotSupported(why="searching the web is not supported")] = None


class AlignmentRequest(TokenShaping):
    """What both the chat and the evolutions API accept."""

    model: Text = Field(
        max_length=MAX_MODEL_NAME,
        examples=list(METHODS),
        description="The method, or a name of this deployment that stands for one (`GET /v1/models`); what stands "
        "before a slash may be anything. " + " ".join(f"`{name}`: {traits.text}" for name, traits in METHODS.items()),
    )
    messages: list[ChatMessage] = Field(
        min_length=1,
        max_length=MAX_MESSAGES,
        description="The conversation. Its last user message is the instruction, which mutation rewrites and every "
        "response is scored against; it is not blank. Without a user message the last system message is the "
        "instruction. Where the last message is the assistant's, every response continues its text, and answers hold "
        "the continuation only; what is scored is both together.",
    )
    continue_final_message: bool | None = Field(
        default=None, description="vLLM's. True is what happens anyway where the last message is the assistant's."
    )
    add_generation_prompt: bool | None = Field(
        default=None, description="vLLM's. False goes with a last message of the assistant's, which is continued."
    )
    chat_template_kwargs: TemplateArguments | None = Field(
        default=None,
        description="vLLM's. What the model's chat template is given besides the conversation, such as "
        f'`{{"enable_thinking": false}}`; at most {MAX_TEMPLATE_ARGUMENTS:,} characters of JSON. What the '
        "template does not read is named in the answer's warnings.",
    )
    reasoning_effort: Effort | None = Field(
        default=None,
        description="How much is spent on the answer. Of the search it sets `darwin.mutants` and `darwin.cycles`: "
        + ", ".join(f"{_search_of(effort)} with `{effort}`" for effort in EFFORT_SETTINGS)
        + "; `none` answers as `sample` does, without a search. With a price of tokens (`darwin.token_price`) a second "
        "cycle is searched where it is likely to pay. And "
        "a model that thinks first is told it, where its chat template reads that: the effort, or the next one that "
        "the template knows, and with `none` not to think. What `darwin` and `chat_template_kwargs` say goes before.",
    )
    temperature: float | None = Field(
        default=None, ge=0, le=MAX_TEMPERATURE, description="Default: 0.7. 0 decodes greedily."
    )
    top_p: float | None = Field(default=None, gt=0, le=1, description="Default: 1.")
    top_k: Annotated[int | None, Field(ge=-1, le=2**31 - 1), WHOLE] = Field(
        default=None,
        description="How many of the likeliest tokens each is drawn from; 0 and -1: all. Default: 40.",
    )
    max_tokens: Annotated[int | None, Field(ge=1), WHOLE] = Field(
        default=None,
        description="Tokens per response at most, those of a thought before it included; default and maximum are the "
        "deployment's.",
    )
    max_completion_tokens: Annotated[int | None, Field(ge=1), WHOLE] = Field(
        default=None, description="OpenAI's newer name of `max_tokens`; where both are given they must agree."
    )
    seed: Annotated[int | None, Field(ge=-(2**63), le=2**63 - 1), WHOLE] = Field(
        default=None,
        description="Fixes every random draw of the search and seeds sampling. -1 means none; other negative seeds are "
        "taken modulo 2^53. Batched sampling stays reproducible only as far as the engine's numerics are.",
    )
    stop: StopField = Field(
        default=None, description="Where an answer ends; the string itself is left out of it. Thoughts may hold it."
    )
    response_format: ResponseFormatBody | None = Field(
        default=None,
        description="The form of the answer, in which every candidate is decoded. An answer that `max_tokens` cuts is "
        "not complete, and is returned only where no candidate is.",
    )
    structured_outputs: StructuredOutputs | None = Field(
        default=None, description="The form of the answer as vLLM takes it; not beside `response_format`."
    )
    n: Annotated[int | None, Field(ge=1, le=1 + MAX_CYCLES * MAX_MUTANTS), WHOLE] = Field(
        default=None,
        description="How many of the best distinct final responses to return, best first; fewer where fewer differ. "
        "At most 1 + cycles x mutants (1 for `sample`). Default: 1.",
    )
    logprobs: bool | None = Field(
        default=None,
        description="Whether answers come with the log probability of each token that their text shows, not those of "
        "thoughts, of the model's "
        "own distribution: before temperature, formats and whatever else shapes sampling. Refused by engines that give "
        "none.",
    )
    top_logprobs: Annotated[int | None, Field(ge=0, le=MOST_ALTERNATIVES), WHOLE] = Field(
        default=None, description="So many of the likeliest tokens in the place of each; with `logprobs` only."
    )
    user: Annotated[str, Field(max_length=256), ENCODABLE] | None = Field(
        default=None, description="Your name for the end user; kept with the evolution."
    )
    metadata: Annotated[dict[_Key, _Value], Field(max_length=16)] | None = Field(
        default=None, description="Pairs of strings, kept with the evolution."
    )
    tools: Tools | None = Field(
        default=None,
        description="Functions that the model may call, where its chat template knows tools. Answers that call are "
        "grouped by what they call; docs/search.md says which group is the answer.",
    )
    tool_choice: ToolChoiceField | None = Field(
        default=None,
        description="`none`: the model is not told of the tools. `auto`, the default: it may call. `required`, or a "
        "tool by its name: each response is a call and nothing else, decoded under the schemas of the tools; refused "
        "by engines that follow no formats.",
    )
    parallel_tool_calls: bool | None = Field(
        default=None, description="Whether an answer may hold several calls. `false`: the first one only."
    )
    functions: Annotated[list[FunctionDefinition], Field(max_length=MAX_TOOLS)] | None = Field(
        default=None,
        description="Deprecated: as `tools`, of which an answer calls one at most, by `function_call`.",
    )
    function_call: FunctionChoice | None = Field(
        default=None, description="Deprecated: as `tool_choice`, of `functions`."
    )
    service_tier: ServiceTierField = Field(default=None, description=SERVICE_TIER)
    darwin: SearchSettings | None = Field(default=None, description="How the answer is searched for.")


class ChatCompletionRequest(VllmFields, _NotSupported, _WithoutEffect, AlignmentRequest):
    """Body of `POST /v1/chat/completions`."""

    stream: bool | None = Field(default=None, description="Whether to answer with server-sent events.")
    stream_options: StreamOptions | None = Field(default=None, description="Only with `stream`.")


class EvolutionCreate(VllmFields, _NotSupported, _WithoutEffect, AlignmentRequest):
    """Body of `POST /v1/evolutions`: that of a chat completion, without streaming."""

    darwin: EvolutionSearchSettings | None = Field(default=None, description="How the answer is searched for.")
    stream: Annotated[Any, NotSupported(False, why="follow GET /v1/evolutions/{id}/events instead")] = None
    stream_options: Annotated[Any, NotSupported(why="follow GET /v1/evolutions/{id}/events instead")] = None
