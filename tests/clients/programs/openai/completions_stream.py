"""The older completions API as it streams, with the usage at the end."""

import os

from openai import OpenAI

stream = OpenAI().completions.create(
    model=os.environ["MODEL"],
    prompt="Once upon a time",
    max_tokens=32,
    temperature=0.8,
    stop=["\n\n"],
    stream=True,
    stream_options={"include_usage": True},
)
text, usage = "", None
for chunk in stream:
    usage = chunk.usage or usage
    text += "".join(choice.text for choice in chunk.choices)
assert text
assert 0 < usage.completion_tokens <= 32
