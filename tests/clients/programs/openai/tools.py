"""A call of a tool that the program demands."""

import json
import os

from openai import OpenAI

tool = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"enum": ["Paris", "Rome"]}}, "required": ["city"]},
    },
}
answer = OpenAI().chat.completions.create(
    model=os.environ["MODEL"],
    messages=[{"role": "user", "content": "What is the weather in Paris?"}],
    max_tokens=200,
    tools=[tool],
    tool_choice="required",
)
call = answer.choices[0].message.tool_calls[0]
assert call.function.name == "weather"
json.loads(call.function.arguments)
