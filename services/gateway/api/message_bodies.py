"""Messages in response bodies, with the tools that are called in them."""

from collections.abc import Sized
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.records.evolution import Role
from shared.records.formats import FormatKind


def _is_none(value: object) -> bool:
    return value is None


def _is_empty(value: Sized) -> bool:
    return not value


class _Resource(BaseModel):
    model_config = ConfigDict(frozen=True)


class ChosenCall(_Resource):
    """A call that a response holds: the tool's name, and its arguments as JSON."""

    name: str
    arguments: str


class CallInHistory(ChosenCall):
    """A call that an assistant made earlier."""

    id: str


class OfferedTool(_Resource):
    """A function that the model may call; `parameters` is its JSON schema as JSON, empty for none."""

    name: str
    description: str
    parameters: str
    strict: bool


class AnswerFunction(_Resource):
    """The function that is called, and its arguments as JSON."""

    name: str
    arguments: str


class AnswerCall(_Resource):
    """A call of one of the request's tools."""

    id: str
    type: Literal["function"] = "function"
    function: AnswerFunction


class ChunkFunction(_Resource):
    """What a chunk adds to a call: first the name, then the arguments in pieces."""

    name: str | None = Field(default=None, exclude_if=_is_none)
    arguments: str


class ChunkCall(_Resource):
    """A call's part in a chunk; its first one has the id."""

    index: int
    id: str | None = Field(default=None, exclude_if=_is_none)
    type: Literal["function"] | None = Field(default=None, exclude_if=_is_none)
    function: ChunkFunction


class AnswerMessage(_Resource):
    """The answer's text, its calls, or both."""

    role: Literal["assistant"] = "assistant"
    content: str | None = Field(description="Null where there are calls and nothing beside them.")
    refusal: None = None
    reasoning_content: str | None = Field(
        default=None, exclude_if=_is_none, description="What was thought before; a later call may hand it back."
    )
    reasoning: str | None = Field(default=None, exclude_if=_is_none, description="vLLM's newer name of the same.")
    tool_calls: list[AnswerCall] | None = Field(default=None, exclude_if=_is_none)
    function_call: AnswerFunction | None = Field(
        default=None, exclude_if=_is_none, description="The call, where the request named `functions`."
    )


class ChunkDelta(_Resource):
    """What a chunk adds to a choice's message."""

    role: Literal["assistant"] | None = Field(default=None, exclude_if=_is_none)
    content: str | None = Field(default=None, exclude_if=_is_none)
    reasoning_content: str | None = Field(default=None, exclude_if=_is_none, description="Comes before the content.")
    reasoning: str | None = Field(default=None, exclude_if=_is_none, description="vLLM's newer name of the same.")
    tool_calls: list[ChunkCall] | None = Field(default=None, exclude_if=_is_none)
    function_call: ChunkFunction | None = Field(default=None, exclude_if=_is_none)


class EvolutionMessage(_Resource):
    """One turn of the conversation."""

    role: Role
    content: str
    tool_calls: list[CallInHistory] = Field(default=[], exclude_if=_is_empty)
    tool_call_id: str = Field(default="", exclude_if=_is_empty, description="Whose result a tool's message is.")
    reasoning: str = Field(default="", exclude_if=_is_empty, description="What an assistant thought before.")


class EvolutionFormat(_Resource):
    """What every response had to be."""

    kind: FormatKind
    definition: str = Field(description="The JSON schema, regular expression, list of choices or grammar, as text.")
    field: str = Field(description="The request's field that demanded it.")
