"""Tools and their calls in the form in which chat templates read them, that of OpenAI's messages, and calls as text."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from shared.records.evolution import Message
from shared.records.template_inputs import TemplateInputs
from shared.records.tools import Tool, ToolCall

Mark = Callable[[str], str]
"""Maps a text to the one that the template is given."""

# Mistral's templates take ids of exactly nine letters and digits.
_ID_CHARACTERS = 9
_LARGE = 1e16


def canonical_json(text: str) -> str:
    """The JSON text in the one form of its value: names sorted, no spaces, 2.0 as 2. Other text is stripped only."""
    try:
        return json.dumps(_canonical(json.loads(text)), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    except (ValueError, RecursionError):
        return text.strip()


def call_key(calls: Sequence[ToolCall]) -> tuple[tuple[str, str], ...]:
    """What two answers have in common that call alike: names and canonical arguments, in the order of the calls."""
    return tuple((call.name, canonical_json(call.arguments)) for call in calls)


def calls_as_text(calls: Sequence[ToolCall]) -> str:
    """Calls as text, a line of canonical JSON each, for those who read text only: rewards and mutation."""
    return "\n".join(
        f'{{"name":{json.dumps(name, ensure_ascii=False)},"arguments":{arguments or "{}"}}}'
        for name, arguments in call_key(calls)
    )


def with_calls(text: str, calls: Sequence[ToolCall]) -> str:
    """A text, and behind it the calls that stand beside it."""
    return "\n".join(filter(None, (text, calls_as_text(calls))))


def tool_form(tool: Tool, mark: Mark) -> dict[str, Any]:
    """A tool as templates read it; every text in it is marked."""
    parameters = json.loads(tool.parameters) if tool.parameters else {"type": "object", "properties": {}}
    function = {"name": tool.name, "description": tool.description, "parameters": parameters}
    form: dict[str, Any] = marked({"type": "function", "function": function}, mark)
    return form


def call_form(call: ToolCall, mark: Mark) -> dict[str, Any]:
    """A call as templates read it: arguments that are a JSON object are given as such, others as text."""
    function = {"name": call.name, "arguments": _object_or_text(call.arguments)}
    form: dict[str, Any] = marked({"type": "function", "id": call.id, "function": function}, mark)
    return form


def has_tool_turns(messages: Sequence[Message]) -> bool:
    return any(message.role == "tool" or message.tool_calls for message in messages)


def texts_of(messages: Sequence[Message], inputs: TemplateInputs) -> Iterator[str]:
    """Every text that messages, tools and arguments hold."""
    for message in messages:
        yield message.content
        yield message.reasoning
        yield message.tool_call_id
        for call in message.tool_calls:
            yield from (call.id, call.name, call.arguments)
            yield from _texts(_object_or_text(call.arguments))
    for tool in inputs.tools:
        yield from (tool.name, tool.description, tool.parameters)
        yield from _texts(json.loads(tool.parameters or "null"))
    yield from _texts(dict(inputs.arguments))


def called_names(messages: Sequence[Message]) -> dict[str, str]:
    """The name of the tool of each call, by the call's id."""
    return {call.id: call.name for message in messages for call in message.tool_calls}


def with_short_ids(messages: Sequence[Message]) -> list[Message]:
    """The messages with ids of calls that every template takes."""
    return [
        replace(
            message,
            tool_calls=tuple(replace(call, id=_short(call.id)) for call in message.tool_calls),
            tool_call_id=_short(message.tool_call_id) if message.tool_call_id else "",
        )
        for message in messages
    ]


def _short(name: str) -> str:
    return hashlib.blake2b(name.encode(), digest_size=8).hexdigest()[:_ID_CHARACTERS]


def _object_or_text(arguments: str) -> Any:
    try:
        value = json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments
    return value if isinstance(value, dict) else arguments


def marked(value: Any, mark: Mark) -> Any:
    """A JSON value with every text in it marked."""
    if isinstance(value, str):
        return mark(value)
    if isinstance(value, dict):
        return {mark(name): marked(part, mark) for name, part in value.items()}
    if isinstance(value, list):
        return [marked(part, mark) for part in value]
    return value


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, part in value.items():
            yield name
            yield from _texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)


def _canonical(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _canonical(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_canonical(part) for part in value]
    # A float of that size is written by its exponent; its digits would be a hundred times as long.
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < _LARGE else value
