"""`max_tokens` and stop strings: the count is kept to, the string is left out, and the reason says which ended it."""

import os

from openai import OpenAI

client, asked = OpenAI(), [{"role": "user", "content": "Describe the sea in two sentences."}]
for name in ("max_tokens", "max_completion_tokens"):
    answer = client.chat.completions.create(model=os.environ["MODEL"], messages=asked, **{name: 3})
    assert answer.usage.completion_tokens <= 3
    assert answer.choices[0].finish_reason == ("length" if answer.usage.completion_tokens == 3 else "stop")
answer = client.chat.completions.create(
    model=os.environ["MODEL"], messages=asked, max_tokens=64, stop=["e", "."], temperature=0
)
assert "e" not in (answer.choices[0].message.content or "")
assert answer.choices[0].finish_reason in ("stop", "length")
