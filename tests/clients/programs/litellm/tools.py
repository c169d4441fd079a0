"""A tool that must be called, its result, and the answer about it."""

import json
import os

import litellm

CITY = {"type": "object", "properties": {"city": {"type": "string", "enum": ["Paris", "Rome"]}}, "required": ["city"]}
tools = [{"type": "function", "function": {"name": "weather", "description": "The weather.", "parameters": CITY}}]
model, messages = f"openai/{os.environ['MODEL']}", [{"role": "user", "content": "What is the weather in Paris?"}]
first = litellm.completion(model=model, messages=messages, tools=tools, tool_choice="required", max_tokens=200)
messages.append(first.choices[0].message)
for call in first.choices[0].message.tool_calls:
    assert json.loads(call.function.arguments)["city"] in ("Paris", "Rome")
    messages.append({"tool_call_id": call.id, "role": "tool", "name": call.function.name, "content": "sunny"})
assert litellm.completion(model=model, messages=messages, tools=tools, max_tokens=32).choices[0].message.content
