"""The responses API, whole and by its events."""

import os

import litellm

model = f"openai/{os.environ['MODEL']}"
answer = litellm.responses(model=model, input="Say hello.", max_output_tokens=32)
assert answer.output[0].content[0].text
events = list(litellm.responses(model=model, input="Say hello.", max_output_tokens=32, stream=True))
assert events[-1].type in ("response.completed", "response.incomplete")
