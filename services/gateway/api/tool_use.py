"""From the fields of tools to what the search is told of them, and the rules of turns with calls."""

import json
from collections.abc import Sequence

from services.gateway.api.conversation import ChatMessage
from services.gateway.api.requests import AlignmentRequest
from services.gateway.api.tools import AllowedToolChoice, AllowedTools, FunctionDefinition, NamedTool
from shared.errors import InvalidRequest
from shared.records.limits import MAX_SCHEMA_CHARACTERS, MAX_TOOLS_CHARACTERS
from shared.records.tools import Tool, ToolCall, ToolChoice, ToolUse
from shared.text.json_schemas import schema_problem


def tool_use(body: AlignmentRequest) -> ToolUse:
    """The tools of a request.

    Raises:
        InvalidRequest: a name stands twice, parameters are no schema, or a tool is demanded that is not there.
    """
    tools = tuple(_tool(tool.function, f"tools.{index}.function") for index, tool in enumerate(body.tools or ()))
    characters = sum(len(tool.name) + len(tool.description) + len(tool.parameters) for tool in tools)
    if characters > MAX_TOOLS_CHARACTERS:
        raise InvalidRequest(
            f"tools hold {characters} characters, at most {MAX_TOOLS_CHARACTERS} are possible", field="tools"
        )
    names = [tool.name for tool in tools]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise InvalidRequest(f"tools name {name!r} twice", field=f"tools.{index}.function.name")
    choice = body.tool_choice or "auto"
    wanted: ToolChoice
    named = ""
    if isinstance(choice, AllowedToolChoice):
        kept = _allowed(choice.allowed_tools, names)
        tools, wanted = tuple(tool for tool in tools if tool.name in kept), choice.allowed_tools.mode
    elif isinstance(choice, NamedTool):
        named, wanted = choice.function.name, "required"
        _check_named(named, names, "tool_choice.function.name")
    else:
        wanted = choice
    if wanted == "required":
        _check_any(names)
    return ToolUse(tools=tools, choice=wanted, name=named, parallel=body.parallel_tool_calls is not False)


def _allowed(allowed: AllowedTools, names: Sequence[str]) -> set[str]:
    for index, tool in enumerate(allowed.tools):
        _check_named(tool.function.name, names, f"tool_choice.allowed_tools.tools.{index}.function.name")
    return {tool.function.name for tool in allowed.tools}


def _check_named(name: str, names: Sequence[str], field: str) -> None:
    _check_any(names)
    if name not in names:
        raise InvalidRequest(f"{field} is {name!r}, which is not among the tools", field=field)


def _check_any(names: Sequence[str]) -> None:
    if not names:
        raise InvalidRequest("tool_choice chooses among tools, and there are none: send tools", field="tool_choice")


def _tool(function: FunctionDefinition, path: str) -> Tool:
    parameters = "" if function.parameters is None else json.dumps(function.parameters, ensure_ascii=False)
    if len(parameters) > MAX_SCHEMA_CHARACTERS:
        raise InvalidRequest(
            f"{path}.parameters has {len(parameters)} characters as JSON, at most {MAX_SCHEMA_CHARACTERS} are possible",
            field=f"{path}.parameters",
        )
    try:
        parameters.encode()
    except UnicodeEncodeError:
        raise InvalidRequest(
            f"{path}.parameters must be Unicode text: it holds an unpaired surrogate", field=f"{path}.parameters"
        ) from None
    problem = schema_problem(parameters) if parameters else None
    if problem is None and function.parameters and function.parameters.get("type", "object") != "object":
        problem = "it must describe an object"
    if problem is not None:
        raise InvalidRequest(f"{path}.parameters is no JSON schema: {problem}", field=f"{path}.parameters")
    return Tool(function.name, function.description or "", parameters, bool(function.strict))


def calls_of(message: ChatMessage) -> tuple[ToolCall, ...]:
    """The calls that a message holds."""
    return tuple(
        ToolCall(call.function.name, call.function.arguments or "{}", call.id) for call in message.tool_calls or ()
    )


def check_tool_turns(messages: Sequence[ChatMessage]) -> None:
    """Each call is followed by its result, before anybody else speaks, and each result follows its call.

    Raises:
        InvalidRequest: names the message that is out of place.
    """
    awaited: dict[str, int] = {}
    for index, message in enumerate(messages):
        path = f"messages.{index}"
        if message.role != "assistant" and message.tool_calls:
            raise InvalidRequest(
                f"{path}.tool_calls must be left out: only assistants call", field=f"{path}.tool_calls"
            )
        if message.role == "tool":
            if message.tool_call_id is None:
                raise InvalidRequest(
                    f"{path}.tool_call_id is missing: a tool message is the result of a call",
                    field=f"{path}.tool_call_id",
                )
            if awaited.pop(message.tool_call_id, None) is None:
                raise InvalidRequest(
                    f"{path}.tool_call_id must name a call before it: a tool message must be a response to a preceding "
                    f"message with tool_calls, and none without a result has the id {message.tool_call_id!r}",
                    field=f"{path}.tool_call_id",
                )
            continue
        if message.tool_call_id is not None:
            raise InvalidRequest(
                f"{path}.tool_call_id must be left out: only a tool's message has one", field=f"{path}.tool_call_id"
            )
        _check_answered(awaited)
        for call in message.tool_calls or ():
            if call.id in awaited:
                raise InvalidRequest(f"{path}.tool_calls hold the id {call.id!r} twice", field=f"{path}.tool_calls")
            awaited[call.id] = index
    _check_answered(awaited)


def _check_answered(awaited: dict[str, int]) -> None:
    if awaited:
        index = next(iter(awaited.values()))
        raise InvalidRequest(
            "an assistant message with tool_calls must be followed by tool messages responding to each tool_call_id; "
            f"these have none: {', '.join(awaited)}",
            field=f"messages.{index}.tool_calls",
        )
