"""Request bodies, as /openapi.json documents them.

Nothing is dropped silently: OpenAI parameters without a meaning here are declared, and accept only the value that
means "not used"; anything undeclared is refused.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from services.gateway.api.search_fields import with_search_settings
from services.gateway.model_entry import MAX_MODEL_NAME, PROFILE_PATTERN
from shared.methods import METHODS
from shared.records.evolution import MAX_MESSAGES
from shared.records.search import Preset

_MAX_TEXT = 1_000_000


def _encodable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("must be Unicode text: it holds an unpaired surrogate") from None
    return text


def _parts(value: Any) -> Any:
    if isinstance(value, str):
        return [{"type": "text", "text": value}]
    if isinstance(value, list):
        return value
    raise ValueError("must be a string or a list of text parts")


def _stops(value: Any) -> Any:
    if value is None or isinstance(value, list):
        return value
    if isinstance(value, str):
        return [value]
    raise ValueError("must be a string or a list of strings")


def _no_number(value: Any) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError("must be false, not a number")
    return value


Text = Annotated[str, AfterValidator(_encodable)]
# Python takes 0 for False, JSON does not.
False_ = Annotated[Literal[False], BeforeValidator(_no_number)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class TextPart(_Body):
    """A piece of a message's text; other kinds of parts (images, audio, files) are not supported."""

    type: Literal["text"]
    text: Text = Field(max_length=_MAX_TEXT, description="The pieces of a message are joined without a separator.")


class ChatMessage(_Body):
    """One turn of the conversation."""

    role: Literal["system", "developer", "user", "assistant"] = Field(
        description="`developer` means the same as `system`. Tools are not supported."
    )
    content: Annotated[
        list[TextPart],
        BeforeValidator(_parts, json_schema_input_type=Annotated[str, Field(max_length=_MAX_TEXT)] | list[TextPart]),
        Field(max_length=128),
    ] = Field(description="The text of the turn: a string or a list of text parts.")
    name: None = Field(default=None, description="Not supported; only null.")
    refusal: None = Field(default=None, description="As answers carry it; only null.")
    annotations: list[None] | None = Field(default=None, max_length=0, description="As answers carry it; only empty.")
    audio: None = Field(default=None, description="Not supported; only null.")
    tool_calls: None = Field(default=None, description="Not supported; only null.")
    function_call: None = Field(default=None, description="Not supported; only null.")

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.content)


@with_search_settings(accepted=True)
class SearchSettings(_Body):
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
        description="Name of the reward profile that responses are scored under. Empty: the deployment's default.",
    )
    progress: Literal["on", "off"] = Field(
        default="on",
        description="Whether a streamed chat completion reports progress, in chunks with an empty delta. Changes "
        "nothing of the search.",
    )


class TextFormat(_Body):
    """The only response format there is."""

    type: Literal["text"]


class StreamOptions(_Body):
    """What a stream carries beside the answer."""

    include_usage: bool | None = Field(
        default=None, description="Whether a last chunk without choices carries `usage` (and `usage.darwin`)."
    )
    include_obfuscation: False_ | None = Field(default=None, description="Not supported; only false.")


_Zero = Annotated[float, Field(ge=0, le=0)]


class _WithoutMeaning(_Body):
    """OpenAI parameters that are not supported: each accepts null and the value that changes nothing."""

    audio: None = Field(default=None, description="Not supported; only null.")
    frequency_penalty: _Zero | None = Field(default=None, description="Not supported; only 0.")
    function_call: None = Field(default=None, description="Not supported; only null.")
    functions: None = Field(default=None, description="Not supported; only null.")
    logit_bias: None = Field(default=None, description="Not supported; only null.")
    logprobs: False_ | None = Field(default=None, description="Not supported; only false.")
    modalities: list[Literal["text"]] | None = Field(
        default=None, min_length=1, max_length=1, description="Only text is supported."
    )
    moderation: None = Field(default=None, description="Not supported; only null.")
    parallel_tool_calls: None = Field(default=None, description="Not supported; only null.")
    prediction: None = Field(default=None, description="Not supported; only null.")
    presence_penalty: _Zero | None = Field(default=None, description="Not supported; only 0.")
    prompt_cache_key: None = Field(default=None, description="Not supported; only null.")
    prompt_cache_options: None = Field(default=None, description="Not supported; only null.")
    prompt_cache_retention: None = Field(default=None, description="Not supported; only null.")
    reasoning_effort: None = Field(default=None, description="Not supported; only null.")
    response_format: TextFormat | None = Field(default=None, description="Only text is supported.")
    safety_identifier: None = Field(default=None, description="Not supported; only null.")
    service_tier: Literal["auto", "default"] | None = Field(default=None, description="There is one tier.")
    store: False_ | None = Field(default=None, description="Not supported; only false.")
    tool_choice: None = Field(default=None, description="Not supported; only null.")
    tools: None = Field(default=None, description="Not supported; only null.")
    top_logprobs: None = Field(default=None, description="Not supported; only null.")
    verbosity: None = Field(default=None, description="Not supported; only null.")
    web_search_options: None = Field(default=None, description="Not supported; only null.")


class AlignmentRequest(_Body):
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
        description="The conversation; the last message is the user's and not blank. It is the instruction that "
        "mutation rewrites and that every response is scored against.",
    )
    temperature: float | None = Field(default=None, ge=0, le=2, description="Default: 0.7. 0 decodes greedily.")
    top_p: float | None = Field(default=None, gt=0, le=1, description="Default: 1.")
    max_tokens: int | None = Field(
        default=None, ge=1, description="Tokens per response at most; default and maximum are the deployment's."
    )
    max_completion_tokens: int | None = Field(
        default=None, ge=1, description="OpenAI's newer name of `max_tokens`; where both are given they must agree."
    )
    seed: int | None = Field(
        default=None,
        ge=0,
        le=2**63 - 1,
        description="Fixes every random draw of the search and seeds sampling. Batched sampling stays reproducible "
        "only as far as the engine's numerics are.",
    )
    stop: Annotated[
        list[Annotated[Text, Field(min_length=1, max_length=256)]] | None,
        BeforeValidator(_stops, json_schema_input_type=str | list[str] | None),
    ] = Field(
        default=None, max_length=4, description="Up to 4 strings of up to 256 characters at which a response ends."
    )
    n: int | None = Field(
        default=None,
        ge=1,
        le=257,
        description="How many of the best distinct final responses to return, best first; fewer where fewer differ. "
        "At most 1 + cycles x mutants (1 for `sample`). Default: 1.",
    )
    user: Annotated[Text, Field(max_length=256)] | None = Field(
        default=None, description="Your name for the end user; kept with the evolution."
    )
    metadata: dict[Annotated[str, Field(max_length=64)], Annotated[Text, Field(max_length=512)]] | None = Field(
        default=None, max_length=16, description="Up to 16 pairs, kept with the evolution."
    )
    darwin: SearchSettings | None = Field(default=None, description="How the answer is searched for.")


class ChatCompletionRequest(_WithoutMeaning, AlignmentRequest):
    """Body of `POST /v1/chat/completions`."""

    stream: bool | None = Field(default=None, description="Whether to answer with server-sent events.")
    stream_options: StreamOptions | None = Field(default=None, description="Only with `stream`.")


class EvolutionCreate(_WithoutMeaning, AlignmentRequest):
    """Body of `POST /v1/evolutions`: that of a chat completion, without streaming."""

    stream: False_ | None = Field(
        default=None, description="Not supported; follow `GET /v1/evolutions/{id}/events` instead."
    )
    stream_options: None = Field(default=None, description="Not supported; only null.")
