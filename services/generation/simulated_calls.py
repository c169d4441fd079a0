"""How the engine without a model calls tools: it writes calls in hermes' form, a character a token.

A prompt with tools holds them in a form from which the engine reads them again, since it is given token ids only.
"""

import json
from collections.abc import Sequence
from typing import Any

from shared.records.evolution import Message
from shared.records.tools import Tool

_CHARACTERS = 256
_TOOLS, _REPLY = _CHARACTERS, _CHARACTERS + 1
COUNT = _CHARACTERS + 2
"""How many ids, from a first one on, stand for characters and marks."""
_VARIANTS = 3
_MOST_TOOLS = 8
_DEPTH = 4


class SimulatedCalls:
    """Characters and marks have the ids from `first` on; `words` are the values of strings."""

    def __init__(self, first: int, words: Sequence[str]) -> None:
        self._first = first
        self._words = words

    def is_character(self, token: int) -> bool:
        return 0 <= token - self._first < _CHARACTERS

    def text(self, token_ids: Sequence[int]) -> str:
        """The text of ids that are characters."""
        return "".join(chr(token - self._first) for token in token_ids)

    def prompt(self, messages: Sequence[Message], tools: Sequence[Tool]) -> tuple[int, ...]:
        """What stands at the end of a prompt with tools. After a tool's result the engine answers and does not call."""
        if messages[-1].role == "tool":
            return (self._first + _REPLY,)
        forms = [(tool.name, json.loads(tool.parameters or "{}")) for tool in tools[:_MOST_TOOLS]]
        characters = [self._first + ord(c) for c in json.dumps(forms)]
        return (self._first + _TOOLS, *characters, self._first + _TOOLS, self._first + _REPLY)

    def writer(self, token_ids: Sequence[int], behind: int = 0) -> "CallWriter | None":
        """What writes calls into a response, of a prompt that may hold tools and the response so far. The answer begins
        at `behind`, where that is not in the prompt.
        """
        tools = self._first + _TOOLS
        at = _last(token_ids, self._first + _REPLY)
        if at is None or at < 1 or token_ids[at - 1] != tools:
            return None
        begin = _last(token_ids[: at - 1], tools)
        assert begin is not None
        return CallWriter(self, max(at + 1, behind), self._texts(self.text(token_ids[begin + 1 : at - 1])))

    def token(self, character: str) -> int:
        return self._first + ord(character)

    def _texts(self, forms: str) -> list[str]:
        texts = []
        for name, schema in json.loads(forms):
            for variant in range(_VARIANTS):
                call = json.dumps({"name": name, "arguments": self._value({"type": "object", **schema}, variant, 0)})
                texts.append(f"<tool_call>\n{call}\n</tool_call>")
        return texts

    def _value(self, schema: Any, variant: int, depth: int) -> Any:
        """A plain value of a plain schema."""
        if not isinstance(schema, dict) or depth > _DEPTH:
            return None
        if schema.get("enum"):
            return schema["enum"][variant % len(schema["enum"])]
        match schema.get("type"):
            case "object":
                parts = schema.get("properties", {})
                wanted = schema.get("required", list(parts))
                return {name: self._value(parts[name], variant, depth + 1) for name in wanted if name in parts}
            case "string":
                return self._words[variant]
            case "integer" | "number":
                return schema.get("minimum", 0) + variant
            case "boolean":
                return variant % 2 == 0
            case "array":
                return [self._value(schema.get("items"), variant, depth + 1)] if schema.get("minItems") else []
            case _:
                return None


class CallWriter:
    """Writes one of `texts` into the response that begins at `start`."""

    def __init__(self, calls: SimulatedCalls, start: int, texts: Sequence[str]) -> None:
        self._calls = calls
        self._start = start
        self._texts = texts

    def next(self, token_ids: Sequence[int], draw: int) -> int | None:
        """The next token of a call: None where the response is text, 0 where the call is whole.

        Half of the responses call; `draw` decides that, and which call.
        """
        response = token_ids[self._start :]
        if (not response and draw % 2) or not all(map(self._calls.is_character, response)):
            return None
        written = self._calls.text(response)
        texts = [text for text in self._texts if text.startswith(written)]
        if not texts:
            return None
        text = texts[draw // 2 % len(texts)]
        return self._calls.token(text[len(written)]) if len(text) > len(written) else 0


def _last(token_ids: Sequence[int], token: int) -> int | None:
    return next((i for i in range(len(token_ids) - 1, -1, -1) if token_ids[i] == token), None)
