"""A tool of the responses API that is called, answers, and is answered about."""

import json
import os

from openai import OpenAI

CITY = {"type": "object", "properties": {"city": {"type": "string", "enum": ["Paris", "Rome"]}}, "required": ["city"]}
tools = [{"type": "function", "name": "weather", "parameters": CITY, "strict": False}]
client, items = OpenAI(), [{"role": "user", "content": "What is the weather in Paris?"}]
first = client.responses.create(
    model=os.environ["MODEL"], input=items, tools=tools, tool_choice="required", max_output_tokens=200
)
calls = [item for item in first.output if item.type == "function_call"]
assert json.loads(calls[0].arguments)["city"] in ("Paris", "Rome")
items += first.output
items += [{"type": "function_call_output", "call_id": call.call_id, "output": "sunny"} for call in calls]
last = client.responses.create(
    model=os.environ["MODEL"], input=items, tools=tools, tool_choice="none", max_output_tokens=32
)
assert last.output_text
