"""The responses API by its events."""

import os

from openai import OpenAI

kinds, text, ended = [], "", None
for event in OpenAI().responses.create(
    model=os.environ["MODEL"], instructions="Be brief.", input="Say hello.", max_output_tokens=32, stream=True
):
    kinds.append(event.type)
    text += event.delta if event.type == "response.output_text.delta" else ""
    ended = getattr(event, "response", ended)
assert kinds[0] == "response.created"
assert kinds[-1] in ("response.completed", "response.incomplete")
assert text == ended.output_text
assert ended.usage.output_tokens > 0
