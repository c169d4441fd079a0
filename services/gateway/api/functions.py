"""OpenAI's deprecated functions, as the tools that have taken their place.

A function call has no id: what a `function` message answers is the call just before it.
"""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from services.gateway.api.conversation import ChatMessage
from services.gateway.api.requests import AlignmentRequest
from services.gateway.api.tools import CallOfTool, FunctionTool, NamedFunction, NamedTool
from shared.errors import InvalidRequest

_NAMES = {"tools.": "functions.", "tool_choice": "function_call"}
RequestBody = TypeVar("RequestBody", bound=AlignmentRequest)


def with_tools(body: RequestBody) -> RequestBody:
    """The body with its functions and its function calls as tools and calls of tools.

    Raises:
        InvalidRequest: functions stand beside tools, or a function's message follows no call of it.
    """
    if body.functions and (body.tools or body.tool_choice is not None):
        raise InvalidRequest("functions must be left out beside tools, which have taken their place", field="functions")
    choice = body.function_call
    if isinstance(choice, NamedFunction) and not body.functions:
        raise InvalidRequest("function_call demands a call, and there are no functions", field="function_call")
    changed: dict[str, object] = {"functions": None, "function_call": None}
    if body.functions:
        changed["tools"] = [FunctionTool(type="function", function=function) for function in body.functions]
        changed["tool_choice"] = (
            NamedTool(type="function", function=NamedFunction(name=choice.name))
            if isinstance(choice, NamedFunction)
            else choice
        )
        changed["parallel_tool_calls"] = False
    if any(message.function_call is not None or message.role == "function" for message in body.messages):
        changed["messages"] = list(_turns(body.messages))
    return body.model_copy(update=changed)


def as_functions(error: InvalidRequest) -> InvalidRequest:
    """An error about a tool's fields as one about a function's."""
    if error.field is None or not error.field.startswith(tuple(_NAMES)):
        return error
    named = error.field.replace(".function", "")
    for tool, function in _NAMES.items():
        named = named.replace(tool, function)
    return InvalidRequest(error.message.replace(error.field, named).replace("tools", "functions"), field=named)


def _turns(messages: Sequence[ChatMessage]) -> Iterator[ChatMessage]:
    called: CallOfTool | None = None
    for index, message in enumerate(messages):
        path = f"messages.{index}"
        if message.role == "function":
            if called is None or called.function.name != message.name:
                raise InvalidRequest(
                    f"{path}.name must be that of the function which the message before it calls", field=f"{path}.name"
                )
            yield message.model_copy(update={"role": "tool", "name": None, "tool_call_id": called.id})
            called = None
        elif message.function_call is not None:
            if message.role != "assistant" or message.tool_calls:
                raise InvalidRequest(
                    f"{path}.function_call must be left out: only assistants call, by it or by tool_calls",
                    field=f"{path}.function_call",
                )
            called = CallOfTool(id=f"function_{index}", function=message.function_call)
            yield message.model_copy(update={"function_call": None, "tool_calls": [called]})
        else:
            called = None
            yield message
