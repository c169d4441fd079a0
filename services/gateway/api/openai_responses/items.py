"""The items of a response's input: messages, calls of tools, their outputs, and references to earlier ones."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from services.gateway.api.field_kinds import NotSupported, WithoutEffect
from services.gateway.api.field_types import ENCODABLE, MAX_TEXT, Body, Text
from services.gateway.api.tools import CallId, FunctionName
from shared.errors import InvalidRequest
from shared.records.evolution import Message
from shared.records.tools import ToolCall

_TYPES = ("message", "reasoning", "function_call", "function_call_output", "item_reference")
# The fields that an item of each type must have, and among all of these the only ones that it may have.
_NEEDED: Mapping[str, tuple[str, ...]] = {
    "message": ("role", "content"),
    "reasoning": (),
    "function_call": ("call_id", "name", "arguments"),
    "function_call_output": ("call_id", "output"),
    "item_reference": ("id",),
}
_OWN = ("role", "content", "call_id", "name", "arguments", "output")
_LongText = Annotated[str, Field(max_length=MAX_TEXT), ENCODABLE]


def _parts(value: Any) -> Any:
    if isinstance(value, str):
        return [{"type": "input_text", "text": value}]
    if value is None or isinstance(value, list):
        return value
    raise ValueError("must be a string or a list of parts")


def _known_type(value: Any) -> Any:
    if value not in _TYPES:
        raise ValueError(
            f"must be {', '.join(_TYPES[:-1])} or {_TYPES[-1]}: items of tools that a server runs are not supported"
        )
    return value


class InputPart(Body):
    """A piece of a message or of an output: text, or an earlier answer's text or refusal."""

    type: Literal["input_text", "output_text", "text", "refusal", "reasoning_text", "summary_text"] = Field(
        description="Images, audio and files are not supported."
    )
    text: _LongText | None = Field(default=None, description="Of every part but a refusal.")
    refusal: _LongText | None = Field(default=None, description="Of a refusal.")
    annotations: Annotated[Any, NotSupported([], why="annotations are not supported")] = None
    logprobs: Annotated[list[Any] | None, WithoutEffect([])] = Field(
        default=None, description="As an answer's text carries them; the text alone counts."
    )
    parsed: Annotated[dict[str, Any] | list[Any] | None, WithoutEffect()] = Field(
        default=None, description="What OpenAI's SDK made of a text, which alone counts."
    )


_PartsField = Annotated[
    Annotated[list[InputPart], Field(max_length=128)] | None,
    BeforeValidator(_parts, json_schema_input_type=Annotated[str, Field(max_length=MAX_TEXT)] | list[InputPart] | None),
]


class InputItem(Body):
    """A message, a call of a tool, the output of one, or a reference to what an earlier response took or gave."""

    # OpenAI's SDK writes `async_` where an item is dumped by the names that Python has for its fields.
    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=True, validate_by_alias=True)

    type: Annotated[
        Literal["message", "reasoning", "function_call", "function_call_output", "item_reference"],
        BeforeValidator(_known_type),
    ] = Field(default="message", description="Items of tools that a server runs are not supported.")
    role: Literal["system", "developer", "user", "assistant"] | None = Field(
        default=None, description="Of a message. `developer` means the same as `system`."
    )
    content: _PartsField = Field(
        default=None,
        description="Of a message: its text, as a string or a list of parts. Of reasoning: what was thought before the "
        "assistant's item that follows.",
    )
    summary: _PartsField = Field(default=None, description="Of reasoning: what stands for its content without any.")
    encrypted_content: Annotated[Text | None, WithoutEffect()] = Field(
        default=None, description="Of reasoning of another service, which nobody can read here."
    )
    call_id: CallId | None = Field(default=None, description="Of a call and its output: they have the same.")
    name: FunctionName | None = Field(default=None, description="Of a call: the function that was called.")
    arguments: _LongText | None = Field(default=None, description="Of a call: JSON, as it was called with.")
    output: _PartsField = Field(default=None, description="Of an output: its text, as a string or a list of parts.")
    id: Text | None = Field(default=None, max_length=256, description="What a reference names; else kept nowhere.")
    status: Annotated[
        Literal["in_progress", "completed", "incomplete"] | None, WithoutEffect("completed", "incomplete")
    ] = Field(default=None, description="As an answer's items carry it; they are taken as they are.")
    phase: Annotated[Any, NotSupported(why="answers have one phase")] = None
    caller: Annotated[Any, NotSupported({"type": "direct"}, why="calls are the model's own")] = None
    namespace: Annotated[Any, NotSupported(why="tools have no namespaces")] = None
    parsed_arguments: Annotated[dict[str, Any] | list[Any] | None, WithoutEffect()] = Field(
        default=None, description="What OpenAI's SDK made of `arguments`, which alone count."
    )
    async_: Annotated[Any, NotSupported(False, why="a conversation goes on once every call has its output")] = Field(
        default=None, alias="async"
    )


def message_of(item: InputItem, where: str) -> Message:
    """What an item says that is no reference: a message, a turn with one call or a thought alone, or a call's result.

    Raises:
        InvalidRequest: a field is missing, or is none of the type's.
    """
    check_fields(item, where)
    if item.type == "reasoning":
        thought = item.content or item.summary
        return Message("assistant", "", reasoning="".join(part.text or "" for part in thought or ()))
    if item.type == "function_call":
        return Message("assistant", "", (ToolCall(item.name or "", item.arguments or "{}", item.call_id or ""),))
    if item.type == "function_call_output":
        return Message("tool", _text(item.output, f"{where}.output", answers=False), (), item.call_id or "")
    text = _text(item.content, f"{where}.content", answers=item.role == "assistant")
    return Message("system" if item.role == "developer" else item.role or "user", text)


def check_fields(item: InputItem, where: str) -> None:
    """Raises InvalidRequest unless the item has the fields of its type, and no other's."""
    needed = _NEEDED[item.type]
    for name in needed:
        if getattr(item, name) is None:
            raise InvalidRequest(f"{where}.{name} is missing", field=f"{where}.{name}")
    for name in _OWN:
        thought = item.type == "reasoning" and name == "content"
        if name not in needed and not thought and getattr(item, name) is not None:
            raise InvalidRequest(
                f"{where}.{name} must be left out: an item of type {item.type} has none", field=f"{where}.{name}"
            )


def _text(parts: list[InputPart] | None, where: str, *, answers: bool) -> str:
    """The parts' text; those of an answer may stand where `answers`."""
    for number, part in enumerate(parts or ()):
        name, other = ("refusal", "text") if part.type == "refusal" else ("text", "refusal")
        path = f"{where}.{number}"
        if getattr(part, name) is None:
            raise InvalidRequest(f"{path}.{name} is missing", field=f"{path}.{name}")
        if getattr(part, other) is not None:
            raise InvalidRequest(
                f"{path}.{other} must be left out of a part of type {part.type}", field=f"{path}.{other}"
            )
        if part.type in ("reasoning_text", "summary_text"):
            raise InvalidRequest(f"{path}.type must be a text's: this one is of reasoning", field=f"{path}.type")
        if part.type in ("output_text", "refusal") and not answers:
            raise InvalidRequest(f"{path}.type must be input_text: only assistants answer", field=f"{path}.type")
    return "".join(part.text or part.refusal or "" for part in parts or ())
