"""A tool that the program demands of the responses API, its output, and the answer that goes on from it."""

import json
import os

from openai import OpenAI

client, model = OpenAI(), os.environ["MODEL"]
tool = {
    "type": "function",
    "name": "weather",
    "parameters": {
        "type": "object",
        "properties": {"city": {"enum": ["Paris", "Rome"]}},
        "required": ["city"],
        "additionalProperties": False,
    },
    "strict": True,
}
asked = client.responses.create(
    model=model,
    input="What is the weather in Paris?",
    tools=[tool],
    tool_choice="required",
    parallel_tool_calls=False,
    max_output_tokens=200,
)
calls = [item for item in asked.output if item.type == "function_call"]
assert calls
for call in calls:
    assert call.name == "weather"
    assert json.loads(call.arguments)["city"] in ("Paris", "Rome")
outputs = [{"type": "function_call_output", "call_id": call.call_id, "output": "sunny"} for call in calls]
told = client.responses.create(
    model=model, input=outputs, previous_response_id=asked.id, tools=[tool], tool_choice="none", max_output_tokens=32
)
assert told.output_text
