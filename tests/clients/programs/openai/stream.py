"""Text as it comes, and the usage at the end."""

import os

from openai import OpenAI

parts, usage = [], None
stream = OpenAI().chat.completions.create(
    model=os.environ["MODEL"],
    messages=[{"role": "user", "content": "Describe the sea in two sentences."}],
    max_tokens=48,
    stream=True,
    stream_options={"include_usage": True},
)
for chunk in stream:
    usage = chunk.usage or usage
    if chunk.choices and chunk.choices[0].delta.content:
        parts.append(chunk.choices[0].delta.content)
assert len(parts) > 1, "the whole text came in one piece"
assert usage is not None
assert usage.completion_tokens > 0
