"""Several answers to one question, whole and in a stream."""

import os

from openai import OpenAI

client, asked = OpenAI(), [{"role": "user", "content": "Name a colour."}]
answer = client.chat.completions.create(model=os.environ["MODEL"], messages=asked, max_tokens=16, n=2, temperature=1)
assert [choice.index for choice in answer.choices] == [0, 1]
assert all(choice.message.content for choice in answer.choices)
texts = {0: "", 1: ""}
for chunk in client.chat.completions.create(
    model=os.environ["MODEL"], messages=asked, max_tokens=16, n=2, temperature=1, stream=True
):
    for choice in chunk.choices:
        texts[choice.index] += choice.delta.content or ""
assert all(texts.values())
