"""A conversation in which a tool was called and has answered."""

import os

from openai import OpenAI

tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
answer = OpenAI().chat.completions.create(
    model=os.environ["MODEL"],
    messages=[
        {"role": "user", "content": "What is the weather?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
    ],
    max_tokens=32,
    tools=[tool],
)
assert answer.choices[0].finish_reason in ("stop", "length", "tool_calls")
