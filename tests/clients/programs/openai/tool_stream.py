"""A call of a tool as it is streamed: an id and a name first, then pieces of arguments that make JSON."""

import json
import os

from openai import OpenAI

CITY = {"type": "object", "properties": {"city": {"type": "string", "enum": ["Paris", "Rome"]}}, "required": ["city"]}
stream = OpenAI().chat.completions.create(
    model=os.environ["MODEL"],
    messages=[{"role": "user", "content": "What is the weather in Paris?"}],
    tools=[{"type": "function", "function": {"name": "weather", "parameters": CITY}}],
    tool_choice={"type": "function", "function": {"name": "weather"}},
    max_tokens=200,
    stream=True,
)
calls: dict[int, dict[str, str]] = {}
for chunk in stream:
    for piece in (chunk.choices[0].delta.tool_calls or []) if chunk.choices else []:
        if piece.index not in calls:
            calls[piece.index] = {"id": piece.id, "name": piece.function.name, "arguments": ""}
        calls[piece.index]["arguments"] += piece.function.arguments or ""
assert calls[0]["id"]
assert calls[0]["name"] == "weather"
assert json.loads(calls[0]["arguments"])["city"] in ("Paris", "Rome")
