"""The parsers of transformers and vLLM, where these are installed."""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from services.generation.tool_calls.reading import Parse
from shared.records.tools import Tool, ToolCall

_COMMON = ("hermes", "llama3_json", "mistral", "qwen3_coder", "qwen3_xml", "pythonic", "lfm2", "glm45")
"""The names of vLLM's parsers that are tried first; those of the others follow in their order."""


def response_template_parse(template: Mapping[str, Any]) -> Parse:
    """Parses by the `response_template` that a tokenizer brings (transformers' `parse_response`)."""
    from transformers.utils.chat_parsing import parse_response

    def parse(text: str, tools: Sequence[Tool]) -> tuple[Sequence[ToolCall], str]:
        message = parse_response(text, dict(template), prefix="", tools=[_form(tool) for tool in tools])
        calls = [call["function"] for call in message.get("tool_calls", ())]
        return [ToolCall(call["name"], _json(call.get("arguments", {}))) for call in calls], message.get(
            "content"
        ) or ""

    return parse


def vllm_names() -> Iterator[str]:
    """The names of vLLM's parsers, the commonest first."""
    from vllm.tool_parsers import ToolParserManager

    registered = ToolParserManager.list_registered()
    yield from (name for name in _COMMON if name in registered)
    yield from (name for name in registered if name not in _COMMON)


def vllm_parse(name: str, tokenizer: Any) -> Parse:
    """Parses by vLLM's parser of that name.

    Raises:
        KeyError: there is no such parser.
    """
    from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest
    from vllm.tool_parsers import ToolParserManager

    # What a model writes may follow no form; vLLM's parsers log a traceback of that, and we a line.
    logging.getLogger("vllm.tool_parsers").setLevel(logging.CRITICAL)
    kind = ToolParserManager.get_tool_parser(name)

    def parse(text: str, tools: Sequence[Tool]) -> tuple[Sequence[ToolCall], str]:
        asked = {"messages": [], "tools": [_form(tool) for tool in tools], "tool_choice": "auto"}
        request = ChatCompletionRequest.model_validate(asked)
        # Parsers keep what they have read, so that each response needs one of its own.
        found = kind(tokenizer, request.tools).extract_tool_calls(text, request)
        if not found.tools_called:
            return (), ""
        calls = [ToolCall(call.function.name, call.function.arguments) for call in found.tool_calls]
        return calls, found.content or ""

    return parse


def _form(tool: Tool) -> dict[str, Any]:
    parameters = json.loads(tool.parameters) if tool.parameters else {"type": "object", "properties": {}}
    function = {"name": tool.name, "description": tool.description, "parameters": parameters}
    return {"type": "function", "function": function}


def _json(arguments: Any) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
