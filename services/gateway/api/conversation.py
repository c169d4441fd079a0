"""The messages of a request."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from services.gateway.api.field_kinds import NotSupported, WithoutEffect
from services.gateway.api.field_types import ENCODABLE, MAX_TEXT, Body, Text
from services.gateway.api.tools import CalledFunction, CallId, Calls

_NO_ANNOTATIONS = "annotations are not supported"


def _parts(value: Any) -> Any:
    if isinstance(value, str):
        return [{"type": "text", "text": value}]
    if value is None or isinstance(value, list):
        return value
    raise ValueError("must be a string or a list of text parts")


class CacheControl(Body):
    """Where Anthropic's models end a cached prefix."""

    type: Text
    ttl: Text | None = None


class TextPart(Body):
    """A piece of a message's text, or an assistant's refusal; other kinds of parts (images, audio, files) are not
    supported."""

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"properties": {"type": {"const": "refusal"}}},
            "then": {"required": ["refusal"], "properties": {"text": {"type": "null"}, "refusal": {"type": "string"}}},
            "else": {"required": ["text"], "properties": {"refusal": {"type": "null"}, "text": {"type": "string"}}},
        }
    )

    type: Literal["text", "refusal"] = Field(description="Images, audio and files are not supported.")
    text: Annotated[str, Field(max_length=MAX_TEXT), ENCODABLE] | None = Field(
        default=None, description="Of a text. The pieces of a message are joined without a separator."
    )
    refusal: Annotated[str, Field(max_length=MAX_TEXT), ENCODABLE] | None = Field(
        default=None, description="Of an assistant's refusal, which is text of its turn."
    )
    cache_control: Annotated[CacheControl | None, WithoutEffect()] = Field(
        default=None, description="Every prefix is cached where the engine can."
    )
    annotations: Annotated[Any, NotSupported([], why=_NO_ANNOTATIONS)] = None


_WholeText = Annotated[str, Field(max_length=MAX_TEXT)]
_Parts = Annotated[list[TextPart], Field(max_length=128)]


class ChatMessage(Body):
    """One turn of the conversation."""

    # The same rules as in `api.validation`, for those who read the schema.
    model_config = ConfigDict(
        json_schema_extra={
            "if": {"properties": {"role": {"const": "assistant"}}},
            "else": {
                "required": ["content"],
                "properties": {
                    "content": {"type": ["string", "array"]},
                    "refusal": {"type": "null"},
                    "tool_calls": {"anyOf": [{"type": "null"}, {"type": "array", "maxItems": 0}]},
                },
            },
        }
    )

    role: Literal["system", "developer", "user", "assistant", "tool", "function"] = Field(
        description="`developer` means the same as `system`; `tool` is the result of a call; `function`, which is "
        "deprecated, that of the `function_call` just before it."
    )
    content: Annotated[_Parts | None, BeforeValidator(_parts, json_schema_input_type=_WholeText | _Parts | None)] = (
        Field(
            default=None,
            description="The text of the turn: a string or a list of text parts. Only an assistant's may be null.",
        )
    )
    name: Annotated[Text | None, WithoutEffect()] = Field(
        default=None, description="No chat template is given names; write it into the text."
    )
    refusal: Annotated[str, Field(max_length=MAX_TEXT), ENCODABLE] | None = Field(
        default=None, description="The text of an assistant's turn without `content`."
    )
    parsed: Annotated[dict[str, Any] | list[Any] | None, WithoutEffect()] = Field(
        default=None, description="What OpenAI's SDK made of the text, which alone counts."
    )
    annotations: Annotated[Any, NotSupported([], why=_NO_ANNOTATIONS)] = None
    audio: Annotated[Any, NotSupported(why="audio is not supported")] = None
    function_call: CalledFunction | None = Field(
        default=None, description="Deprecated: the one call that an assistant made; send `tool_calls`."
    )
    reasoning: Annotated[str, Field(max_length=MAX_TEXT), ENCODABLE] | None = Field(
        default=None, description="vLLM's newer name of `reasoning_content`; where both are given they must agree."
    )
    reasoning_content: Annotated[str, Field(max_length=MAX_TEXT), ENCODABLE] | None = Field(
        default=None,
        description="What an assistant thought before its turn, as an answer tells it. The chat template is given it, "
        "and decides what becomes of it.",
    )
    tool_calls: Calls | None = Field(
        default=None, description="The calls that an assistant made; the messages after it are their results."
    )
    tool_call_id: CallId | None = Field(default=None, description="Which call a tool's message is the result of.")

    @property
    def thought(self) -> str:
        return self.reasoning_content or self.reasoning or ""

    @property
    def text(self) -> str:
        said = "".join(part.text or part.refusal or "" for part in self.content or ())
        return said or self.refusal or ""
