"""Body of `POST /v1/responses`."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from services.gateway.api.field_kinds import NotSupported, WithoutEffect
from services.gateway.api.field_types import ENCODABLE, MAX_TEXT, Body, Text
from services.gateway.api.formats import SCHEMA_NAME
from services.gateway.api.requests import SearchSettings
from services.gateway.config.model_entry import MAX_MODEL_NAME
from services.gateway.config.search_fields import WHOLE
from shared.records.evolution import MAX_MESSAGES

_NO_TOOLS = "tools are not supported"
_NO_REASONING = "there is no reasoning; set darwin.cycles and darwin.mutants instead"
_LongText = Annotated[str, Field(max_length=MAX_TEXT), ENCODABLE]


def _parts(value: Any) -> Any:
    if isinstance(value, str):
        return [{"type": "input_text", "text": value}]
    if value is None or isinstance(value, list):
        return value
    raise ValueError("must be a string or a list of parts")


def _items(value: Any) -> Any:
    if isinstance(value, str):
        return [{"role": "user", "content": value}]
    if isinstance(value, list):
        return value
    raise ValueError("must be a string or a list of items")


def _known_item(value: Any) -> Any:
    if value not in ("message", "item_reference"):
        raise ValueError("must be message or item_reference: items of tools and of reasoning are not supported")
    return value


class InputPart(Body):
    """A piece of a message: text, or an earlier answer's text or refusal."""

    type: Literal["input_text", "output_text", "text", "refusal"] = Field(
        description="Images, audio and files are not supported."
    )
    text: _LongText | None = Field(default=None, description="Of every part but a refusal.")
    refusal: _LongText | None = Field(default=None, description="Of a refusal.")
    annotations: Annotated[Any, NotSupported([], why="annotations are not supported")] = None
    logprobs: Annotated[Any, NotSupported([], why="log probabilities are not taken back")] = None


class InputItem(Body):
    """A message, or a reference to one that an earlier response took or gave."""

    type: Annotated[Literal["message", "item_reference"], BeforeValidator(_known_item)] = Field(
        default="message", description="Items of tools and of reasoning are not supported."
    )
    role: Literal["system", "developer", "user", "assistant"] | None = Field(
        default=None, description="Of a message. `developer` means the same as `system`."
    )
    content: Annotated[
        Annotated[list[InputPart], Field(max_length=128)] | None,
        BeforeValidator(
            _parts, json_schema_input_type=Annotated[str, Field(max_length=MAX_TEXT)] | list[InputPart] | None
        ),
    ] = Field(default=None, description="Of a message: its text, as a string or a list of parts.")
    id: Text | None = Field(default=None, max_length=256, description="What a reference names; else kept nowhere.")
    status: Annotated[
        Literal["in_progress", "completed", "incomplete"] | None, WithoutEffect("completed", "incomplete")
    ] = Field(default=None, description="As an answer's message carries it; messages are taken as they are.")
    phase: Annotated[Any, NotSupported(why="answers have one phase")] = None

    @property
    def text(self) -> str:
        return "".join(part.text or part.refusal or "" for part in self.content or ())


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


class ResponseStreamOptions(Body):
    """What a stream carries beside the answer."""

    include_obfuscation: Annotated[bool | None, WithoutEffect(False)] = Field(
        default=None, description="Events are not padded."
    )


class ResponseCreate(Body):
    """Body of `POST /v1/responses`."""

    model: Text = Field(max_length=MAX_MODEL_NAME, description="As of a chat completion.")
    input: Annotated[
        Annotated[list[InputItem], Field(min_length=1, max_length=MAX_MESSAGES)],
        BeforeValidator(_items, json_schema_input_type=Annotated[str, Field(max_length=MAX_TEXT)] | list[InputItem]),
    ] = Field(description="The user's text, or items of which the last is the user's message; it must not be blank.")
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

    prompt_cache_key: Annotated[Text | None, WithoutEffect()] = Field(
        default=None, description="Every prefix is cached where the engine can."
    )
    prompt_cache_retention: Annotated[Text | None, WithoutEffect()] = Field(
        default=None, description="A prefix stays cached for as long as the engine has room."
    )
    safety_identifier: Annotated[Text | None, WithoutEffect()] = Field(
        default=None, description="`user` is kept with the evolution."
    )
    service_tier: Annotated[
        Literal["auto", "default", "flex", "priority", "scale"] | None, WithoutEffect("auto", "default")
    ] = Field(default=None, description="There is one tier: `auto` and `default` mean it.")

    context_management: Annotated[Any, NotSupported([], why="shorten the conversation yourself")] = None
    conversation: Annotated[Any, NotSupported(why="go on from previous_response_id")] = None
    include: Annotated[
        Any, NotSupported([], ["reasoning.encrypted_content"], why="answers hold their text and nothing else")
    ] = None
    max_tool_calls: Annotated[Any, NotSupported(why=_NO_TOOLS)] = None
    parallel_tool_calls: Annotated[Any, NotSupported(True, False, why=_NO_TOOLS)] = None
    prompt: Annotated[Any, NotSupported(why="stored prompts are not supported; send the text")] = None
    reasoning: Annotated[Any, NotSupported({}, why=_NO_REASONING)] = None
    tool_choice: Annotated[Any, NotSupported("none", "auto", why=_NO_TOOLS)] = None
    tools: Annotated[Any, NotSupported([], why=_NO_TOOLS)] = None
    top_logprobs: Annotated[Any, NotSupported(0, why="log probabilities are not supported")] = None
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
