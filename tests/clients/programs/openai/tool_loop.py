"""A tool that is called, answers, and is answered about, with the messages as the client returned them."""

import json
import os

from openai import OpenAI

CITY = {"type": "object", "properties": {"city": {"type": "string", "enum": ["Paris", "Rome"]}}, "required": ["city"]}
tools = [{"type": "function", "function": {"name": "weather", "description": "The weather.", "parameters": CITY}}]
client, messages = OpenAI(), [{"role": "user", "content": "What is the weather in Paris?"}]
first = client.chat.completions.create(
    model=os.environ["MODEL"],
    messages=messages,
    tools=tools,
    tool_choice="required",
    parallel_tool_calls=False,
    max_tokens=200,
)
assert first.choices[0].finish_reason in ("tool_calls", "stop")
messages.append(first.choices[0].message)
for call in first.choices[0].message.tool_calls:
    found = {"city": json.loads(call.function.arguments)["city"], "weather": "sunny"}
    messages.append({"role": "tool", "tool_call_id": call.id, "content": json.dumps(found)})
last = client.chat.completions.create(
    model=os.environ["MODEL"], messages=messages, tools=tools, tool_choice="none", max_tokens=32
)
assert last.choices[0].message.content
assert not last.choices[0].message.tool_calls
