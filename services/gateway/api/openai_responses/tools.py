"""The fields of tools in the body of a response: what the model may call, in the Responses API's flat shape."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from services.gateway.api.field_kinds import NotSupported, WithoutEffect
from services.gateway.api.field_types import ENCODABLE, MAX_TEXT, Body, OneOf
from services.gateway.api.tools import (
    AllowedToolChoice,
    AllowedTools,
    FunctionDefinition,
    FunctionName,
    FunctionTool,
    NamedFunction,
    NamedTool,
    ToolChoiceField,
)
from shared.records.limits import MAX_TOOLS

_DIRECT = "calls are the model's own"


def _function(value: Any) -> Any:
    if value != "function":
        raise ValueError(
            "must be function: tools that a server runs, such as web_search, file_search, code_interpreter or mcp, are "
            "not supported, nor are custom ones. Offer a function, run it yourself, and send its result as a "
            "function_call_output"
        )
    return value


_Function = Annotated[Literal["function"], BeforeValidator(_function)]


class ResponseTool(Body):
    """A function that the model may call."""

    model_config = ConfigDict(serialize_by_alias=True)

    type: _Function = Field(description="Tools that a server runs are not supported, nor are custom ones.")
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
    output_schema: Annotated[dict[str, Any] | None, WithoutEffect()] = Field(
        default=None, description="Results are taken as they are."
    )
    allowed_callers: Annotated[Any, NotSupported([], ["direct"], why=_DIRECT)] = None
    async_: Annotated[Any, NotSupported(False, why="a conversation goes on once every call has its output")] = Field(
        default=None, alias="async"
    )
    defer_loading: Annotated[Any, NotSupported(False, why="every tool is given to the model")] = None


class NamedResponseTool(Body):
    """A function by its name: as `tool_choice`, the one that the model must call."""

    type: _Function = Field(description="Tools are functions.")
    name: FunctionName = Field(description="One of the tools' names.")


class AllowedResponseTools(Body):
    """Those of the tools that the model is told of, and whether it must call one."""

    type: Literal["allowed_tools"] = Field(description="This kind of choice.")
    mode: Literal["auto", "required"] = Field(description="Whether the model may call one of them, or must.")
    tools: Annotated[list[NamedResponseTool], Field(min_length=1, max_length=MAX_TOOLS)] = Field(
        description="The tools by their names."
    )


ResponseTools = Annotated[list[ResponseTool], Field(max_length=MAX_TOOLS)]
ResponseToolChoice = Annotated[
    Literal["none", "auto", "required"] | NamedResponseTool | AllowedResponseTools,
    OneOf("none", "auto", "required", function=NamedResponseTool, allowed_tools=AllowedResponseTools),
]


def chat_tools(tools: list[ResponseTool] | None) -> list[FunctionTool] | None:
    """The tools as chat completions take them."""
    if tools is None:
        return None
    return [
        FunctionTool.model_construct(
            type="function",
            function=FunctionDefinition.model_construct(
                name=tool.name, description=tool.description, parameters=tool.parameters, strict=tool.strict
            ),
        )
        for tool in tools
    ]


def chat_choice(choice: ResponseToolChoice | None) -> ToolChoiceField | None:
    """The choice as chat completions take it."""
    if isinstance(choice, AllowedResponseTools):
        allowed = AllowedTools(mode=choice.mode, tools=[_named(tool) for tool in choice.tools])
        return AllowedToolChoice(type="allowed_tools", allowed_tools=allowed)
    return _named(choice) if isinstance(choice, NamedResponseTool) else choice


def _named(tool: NamedResponseTool) -> NamedTool:
    return NamedTool(type="function", function=NamedFunction(name=tool.name))
