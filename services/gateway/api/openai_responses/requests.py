"""Body of `POST /v1/responses`."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from services.gateway.api.field_kinds import NotSupported, WithoutEffect
from services.gateway.api.field_types import ENCODABLE, MAX_TEXT, Body, Text
from services.gateway.api.formats import SCHEMA_NAME
from services.gateway.api.openai_responses.items import InputItem
from services.gateway.api.openai_responses.tools import ResponseToolChoice, ResponseTools
from services.gateway.api.requests import SearchSettings
from services.gateway.api.service_tiers import SERVICE_TIER, ServiceTierField
from services.gateway.config.model_entry import MAX_MODEL_NAME
from services.gateway.config.search_fields import WHOLE
from shared.records.efforts import Effort
from shared.records.limits import MAX_MESSAGES, MOST_ALTERNATIVES

_LongText = Annotated[str, Field(max_length=MAX_TEXT), ENCODABLE]


def _items(value: Any) -> Any:
    if isinstance(value, str):
        return [{"role": "user", "content": value}]
    if isinstance(value, list):
        return value
    raise ValueError("must be a string or a list of items")


class TextFormatBody(Body):
    """What every answer is: text, any JSON object, or what follows a JSON schema."""

    model_config = ConfigDict(serialize_by_alias=True)

    type: Literal["text", "json_object", "json_schema"] = Field(description="Which of the three.")
    name: Annotated[str, Field(pattern=SCHEMA_NAME)] | None = Field(
        default=None, description="Your name for the schema; with the type `json_schema` only, which needs it."
    )
    schema_: dict[str, Any] | None = Field(
        default=None,
        alias="schema",
        description="The schema; with the type `json_schema` only, which needs it. One that cannot be followed, as "
        "with `not` or `uniqueItems`, is refused.",
    )
    description: Annotated[Text | None, WithoutEffect()] = Field(
        default=None, description="The model is not shown it: say in the conversation what the answer is for."
    )
    strict: bool | None = Field(default=None, description="A schema is always followed strictly.")


class TextSettings(Body):
    """The form of the answer."""

    format: TextFormatBody | None = Field(
        default=None,
        description="The form of the answer, in which every candidate is decoded. An answer that `max_output_tokens` "
        "cuts is not complete, and is returned only where no candidate is.",
    )
    verbosity: Annotated[Literal["low", "medium", "high"] | None, WithoutEffect("medium")] = Field(
        default=None, description="Ask for it in the conversation."
    )


class ReasoningSettings(Body):
    """How much is spent on the answer, by the search and by a model that thinks first."""

    effort: Effort | None = Field(default=None, description="As `reasoning_effort` of a chat completion.")
    summary: Annotated[Literal["auto", "concise", "detailed"] | None, WithoutEffect()] = Field(
        default=None, description="Thoughts are told whole, as the content of items of reasoning."
    )
    generate_summary: Annotated[Literal["auto", "concise", "detailed"] | None, WithoutEffect()] = Field(
        default=None, description="OpenAI's older name of `summary`."
    )


class ResponseStreamOptions(Body):
    """What a stream carries beside the answer."""

    include_obfuscation: Annotated[bool | None, WithoutEffect(False)] = Field(
        default=None, description="Events are not padded."
    )


LOGPROBS = "message.output_text.logprobs"
Included = Literal["message.output_text.logprobs", "reasoning.encrypted_content"]


class ResponseCreate(Body):
    """Body of `POST /v1/responses`."""

    model: Text = Field(max_length=MAX_MODEL_NAME, description="As of a chat completion.")
    input: Annotated[
        Annotated[list[InputItem], Field(min_length=1, max_length=MAX_MESSAGES)],
        BeforeValidator(_items, json_schema_input_type=Annotated[str, Field(max_length=MAX_TEXT)] | list[InputItem]),
    ] = Field(description="The user's text, which must not be blank, or items: messages, calls and their outputs.")
    instructions: _LongText | None = Field(
        default=None, description="A system message before the conversation; not carried over to what follows."
    )
    previous_response_id: Text | None = Field(
        default=None, max_length=256, description="The response whose conversation goes on with this input."
    )
    max_output_tokens: Annotated[int | None, Field(ge=1), WHOLE] = Field(
        default=None, description="Tokens of the response at most; default and maximum are the deployment's."
    )
    temperature: float | None = Field(default=None, ge=0, le=2, description="Default: 0.7. 0 decodes greedily.")
    top_p: float | None = Field(default=None, gt=0, le=1, description="Default: 1.")
    text: TextSettings | None = Field(default=None, description="The form of the answer.")
    reasoning: ReasoningSettings | None = Field(
        default=None, description="How much is spent on the answer; what was thought stands in items of reasoning."
    )
    tools: ResponseTools | None = Field(
        default=None,
        description="Functions that the model may call, where its chat template knows tools; as of a chat completion.",
    )
    tool_choice: ResponseToolChoice | None = Field(
        default=None,
        description="`none`: the model is not told of the tools. `auto`, the default: it may call. `required`, or a "
        "tool by its name: the answer is a call and nothing else. Or some of the tools, of which alone the model is "
        "told.",
    )
    parallel_tool_calls: bool | None = Field(
        default=None, description="Whether an answer may hold several calls. `false`: the first one only."
    )
    metadata: (
        Annotated[
            dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512), ENCODABLE]],
            Field(max_length=16),
        ]
        | None
    ) = Field(default=None, description="Pairs of strings, kept with the evolution.")
    user: Annotated[str, Field(max_length=256), ENCODABLE] | None = Field(
        default=None, description="Your name for the end user; kept with the evolution."
    )
    store: bool | None = Field(
        default=None,
        description="`false`: the response cannot be read back or gone on from; its evolution is kept for as long as "
        "the deployment keeps records, which a warning says.",
    )
    stream: bool | None = Field(default=None, description="Whether to answer with server-sent events.")
    stream_options: ResponseStreamOptions | None = Field(default=None, description="Only with `stream`.")
    background: bool | None = Field(
        default=None, description="Whether to answer at once, with a response to be polled, followed or cancelled."
    )
    darwin: SearchSettings | None = Field(default=None, description="How the answer is searched for.")

    include: Annotated[list[Included], Field(max_length=16)] | None = Field(
        default=None,
        description="`message.output_text.logprobs`: the answer's text comes with the log probability of each token "
        "that it shows, as of a chat completion. `reasoning.encrypted_content` asks for nothing: reasoning is told in "
        "plain text.",
    )
    top_logprobs: Annotated[int | None, Field(ge=0, le=MOST_ALTERNATIVES), WHOLE] = Field(
        default=None,
        description="So many of the likeliest tokens in the place of each; with `message.output_text.logprobs` in "
        "`include` only.",
    )

    max_tool_calls: Annotated[int | None, Field(ge=1), WHOLE, WithoutEffect()] = Field(
        default=None, description="Of tools that a server runs, of which there are none."
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
    service_tier: ServiceTierField = Field(default=None, description=SERVICE_TIER)

    access_programs: Annotated[Any, NotSupported([], why="no programs are run")] = None
    background_options: Annotated[Any, NotSupported({}, why="responses are kept alike")] = None
    context_management: Annotated[Any, NotSupported([], why="shorten the conversation yourself")] = None
    conversation: Annotated[Any, NotSupported(why="go on from previous_response_id")] = None
    image: Annotated[Any, NotSupported(why="answers are text")] = None
    moderation: Annotated[Any, NotSupported(why="moderation is not supported")] = None
    prompt: Annotated[Any, NotSupported(why="stored prompts are not supported; send the text")] = None
    truncation: Annotated[Any, NotSupported("disabled", why="nothing is left out of a conversation")] = None


class _Query(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ReadQuery(_Query):
    """How a response is read."""

    stream: bool = Field(default=False, description="Whether to follow it by its events.")
    starting_after: int | None = Field(
        default=None, ge=-1, le=2**53, description="`sequence_number` after which events follow."
    )


class InputItemsQuery(_Query):
    """Which of a response's input items are listed."""

    order: Literal["asc", "desc"] = Field(default="desc", description="`desc`: the last message first.")
    after: str | None = Field(default=None, description="The last item of the page before.")
    limit: int = Field(default=20, ge=1, le=100)
