"""The fields of tools: what the model may call, and the calls that a conversation holds."""

from typing import Annotated, Any, Literal

from pydantic import Field

from services.gateway.api.field_kinds import WithoutEffect
from services.gateway.api.field_types import ENCODABLE, MAX_TEXT, Body, OneOf
from shared.records.limits import MAX_CALLS, MAX_TOOLS

_NAME = r"^[a-zA-Z0-9_-]{1,64}$"

FunctionName = Annotated[str, Field(pattern=_NAME)]
_Id = Annotated[str, Field(min_length=1, max_length=256), ENCODABLE]


class FunctionDefinition(Body):
    """What a function is for and takes."""

    name: FunctionName = Field(description="By which the model calls it.")
    description: Annotated[str, Field(max_length=MAX_TEXT), ENCODABLE] | None = Field(
        default=None, description="Tells the model what it is for."
    )
    parameters: dict[str, Any] | None = Field(
        default=None, description="A JSON schema of an object; calls that follow it are chosen before others."
    )
    strict: Annotated[bool | None, WithoutEffect(False)] = Field(
        default=None,
        description="Calls that follow the schema are chosen before others anyway. Decoding is bound to it where "
        "`tool_choice` demands a call, and not otherwise.",
    )


class FunctionTool(Body):
    """A function that the model may call."""

    type: Literal["function"] = Field(description="Other kinds of tools are not supported.")
    function: FunctionDefinition = Field(description="What the function is for and takes.")


class NamedFunction(Body):
    """A function by its name."""

    name: FunctionName = Field(description="One of the tools' names.")


class NamedTool(Body):
    """The function that the model must call."""

    type: Literal["function"] = Field(description="Tools are functions.")
    function: NamedFunction = Field(description="The function to call.")


class AllowedTools(Body):
    """Those of the tools that the model is told of, and whether it must call one."""

    mode: Literal["auto", "required"] = Field(description="Whether the model may call one of them, or must.")
    tools: Annotated[list[NamedTool], Field(min_length=1, max_length=MAX_TOOLS)] = Field(
        description="The tools by their names."
    )


class AllowedToolChoice(Body):
    """A choice among some of the tools."""

    type: Literal["allowed_tools"] = Field(description="This kind of choice.")
    allowed_tools: AllowedTools = Field(description="Which tools, and whether one must be called.")


class CalledFunction(Body):
    """The function of a call, and its arguments as JSON."""

    name: FunctionName = Field(description="The function that was called.")
    arguments: Annotated[str, Field(max_length=MAX_TEXT), ENCODABLE] = Field(description="JSON, as it was called with.")
    parsed_arguments: Annotated[dict[str, Any] | list[Any] | None, WithoutEffect()] = Field(
        default=None, description="What OpenAI's SDK made of `arguments`, which alone count."
    )


class CallOfTool(Body):
    """A call that an assistant made."""

    id: _Id = Field(description="By which its result names it.")
    type: Literal["function"] = Field(default="function", description="Tools are functions.")
    function: CalledFunction = Field(description="What was called.")
    index: Annotated[int | None, WithoutEffect()] = Field(default=None, description="Calls are in their order.")


ToolChoiceField = Annotated[
    Literal["none", "auto", "required"] | NamedTool | AllowedToolChoice,
    OneOf("none", "auto", "required", function=NamedTool, allowed_tools=AllowedToolChoice),
]
FunctionChoice = Annotated[Literal["none", "auto"] | NamedFunction, OneOf("none", "auto", either=NamedFunction)]
Calls = Annotated[list[CallOfTool], Field(max_length=MAX_CALLS)]
Tools = Annotated[list[FunctionTool], Field(max_length=MAX_TOOLS)]
CallId = _Id
