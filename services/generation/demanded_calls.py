"""The format of a response that must call a tool: the grammar of its calls, made of the tools' schemas."""

import json
from collections.abc import Sequence
from typing import Any

from services.generation.tool_calls.json_forms import HERMES_MARKS, JSON_FORMS
from services.generation.tool_calls.reading import ToolReader
from shared.errors import InvalidRequest, Unsupported
from shared.records.formats import ResponseFormat
from shared.records.tools import Tool
from shared.text.grammars import COMPACT, arguments_schema
from shared.text.schema_bounds import problem

_MOST_CALLS = 16
_BARE = ToolReader("json", '{"name":', JSON_FORMS["llama3_json"])


def demanded_calls(
    reader: ToolReader, tools: Sequence[Tool], name: str, parallel: bool
) -> tuple[ResponseFormat, ToolReader]:
    """The format of a response that calls the tool `name`, or any where that is empty, and who reads its calls.

    The calls are in the model's own form where that is hermes' or Llama's, and bare JSON elsewhere. There is one call
    at least, and no more than one where a tool is named or without `parallel`.

    Raises:
        InvalidRequest: there is no such tool, or the schema of one is too large.
    """
    chosen = [tool for tool in tools if name in ("", tool.name)]
    if not chosen:
        raise InvalidRequest(f"there is no tool {name[:64]!r}: name one of the tools", field="tool_choice")
    marked = reader if reader.name == "hermes" else None
    key = "parameters" if reader.name == "llama3_json" else "arguments"
    rules = ["start: calls", *_rules(chosen, key, parallel and not name, marked)]
    return ResponseFormat("grammar", "\n".join(rules), field="tool_choice"), marked or _BARE


def calls_or_json(
    reader: ToolReader, tools: Sequence[Tool], parallel: bool, otherwise: ResponseFormat
) -> tuple[ResponseFormat, ToolReader]:
    """The format of a response that calls tools, or else is the JSON that `otherwise` says; and who reads its calls.

    Calls stand between marks, since bare ones could not be told from the answer.

    Raises:
        InvalidRequest: the schema of a tool is too large, or of the answer.
        Unsupported: `otherwise` is not JSON.
    """
    if not otherwise.is_json:
        raise Unsupported(
            "a response cannot both be free to call tools and be held to this form: set tool_choice to none, or leave "
            "the form out",
            field=otherwise.field,
        )
    wrong = problem(otherwise.definition) if otherwise.definition else None
    if wrong:
        raise InvalidRequest(
            f"the {otherwise.kind.replace('_', ' ')} cannot be followed: {wrong}", field=otherwise.field
        )
    answer = json.loads(otherwise.definition or '{"type": "object"}')
    rules = ["start: calls | answer", f"answer: %json {json.dumps({**answer, 'x-guidance': COMPACT})}"]
    marked = ToolReader("hermes", HERMES_MARKS[0], JSON_FORMS["hermes"], reader.hidden, reader.tokens)
    rules += _rules(tools, "arguments", parallel, marked)
    return ResponseFormat("grammar", "\n".join(rules), field=otherwise.field), marked


def _rules(tools: Sequence[Tool], key: str, several: bool, marked: ToolReader | None) -> list[str]:
    """The rules of `calls`, of which there may be `several`; between hermes' marks for a reader of those."""
    begin, end, between = ("", "", "; ")
    if marked is not None:
        # What is a token of its own, the grammar's tokenizer never takes for text.
        begin, end = (f"<[{marked.tokens[m]}]>" if m in marked.tokens else json.dumps(m) for m in HERMES_MARKS)
        between = "\n"
    blank = "\n" if marked else ""
    rules = ["calls: call" + (f" ({json.dumps(between)} call){{0,{_MOST_CALLS - 1}}}" if several else "")]
    rules.append("call: " + " | ".join(f"call_{index}" for index in range(len(tools))))
    for index, tool in enumerate(tools):
        before = json.dumps(f'{blank}{{"name": {json.dumps(tool.name)}, "{key}": ')
        rules.append(f"call_{index}: {begin} {before} arguments_{index} {json.dumps('}' + blank)} {end}".rstrip())
        rules.append(f"arguments_{index}: %json {json.dumps(_schema(tool))}")
    return rules


def _schema(tool: Tool) -> dict[str, Any]:
    try:
        return arguments_schema(tool.parameters)
    except ValueError as error:
        raise InvalidRequest(f"the parameters of {tool.name} cannot be followed: {error}", field="tools") from error
