"""The commonest forms of calls, which are JSON between marks or bare, for engines that bring no parsers of their own.

hermes       <tool_call>{"name": …, "arguments": {…}}</tool_call>, once for each call (Qwen, Hermes, Granite, …)
mistral      [TOOL_CALLS][{"name": …, "arguments": {…}}], or [TOOL_CALLS]name[ARGS]{…} once for each call
llama3_json  {"name": …, "parameters": {…}}, several joined by semicolons, and nothing beside them
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from services.generation.tool_calls.reading import Parse
from shared.records.tools import Tool, ToolCall

_DECODER = json.JSONDecoder()
HERMES_MARKS = ("<tool_call>", "</tool_call>")
_MISTRAL, _PYTHON_TAG = "[TOOL_CALLS]", "<|python_tag|>"
_NAMED = re.compile(r"\s*([\w.-]+)\s*(?:\[CALL_ID\][^\[{]*)?(?:\[ARGS\])?\s*(?=\{)")


def _hermes(text: str) -> tuple[list[ToolCall], str]:
    before, *parts = text.split(HERMES_MARKS[0])
    return [_call(_value(part)) for part in parts], before


def _mistral(text: str) -> tuple[list[ToolCall], str]:
    before, *parts = text.split(_MISTRAL)
    calls: list[ToolCall] = []
    for part in parts:
        if named := _NAMED.match(part):
            calls.append(_call({"name": named.group(1), "arguments": _value(part[named.end() :])}))
        else:
            value = _value(part)
            calls += map(_call, value if isinstance(value, list) else [value])
    return calls, before


def _llama(text: str) -> tuple[list[ToolCall], str]:
    bare = text.strip().removeprefix(_PYTHON_TAG)
    return [_call(value) for value in _joined(bare)] if bare.lstrip().startswith("{") else [], ""


def _joined(text: str) -> Iterator[Any]:
    while text.strip(" ;\n"):
        text = text.strip(" ;\n")
        value, end = _DECODER.raw_decode(text)
        yield value
        text = text[end:]


def _value(text: str) -> Any:
    return _DECODER.raw_decode(text.lstrip())[0]


def _call(value: Any) -> ToolCall:
    """Raises ValueError where the value is no call."""
    arguments = value.get("arguments", value.get("parameters", {})) if isinstance(value, dict) else None
    if arguments is None or not isinstance(value.get("name"), str):
        raise ValueError("a call has a name, and arguments")
    return ToolCall(
        value["name"], arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    )


def _without_tools(read: Callable[[str], tuple[list[ToolCall], str]]) -> Parse:
    def parse(text: str, tools: Sequence[Tool]) -> tuple[Sequence[ToolCall], str]:
        return read(text)

    return parse


JSON_FORMS: Mapping[str, Parse] = MappingProxyType(
    {
        "hermes": _without_tools(_hermes),
        "mistral": _without_tools(_mistral),
        "llama3_json": _without_tools(_llama),
    }
)
