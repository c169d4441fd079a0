"""A conversation that keeps the answers as the client returned them."""

import os

from openai import OpenAI

client, messages = OpenAI(), [{"role": "system", "content": "Be brief."}]
for question in ("Name a colour.", "And another one?"):
    messages.append({"role": "user", "content": question})
    answer = client.chat.completions.create(model=os.environ["MODEL"], messages=messages, max_tokens=16)
    messages.append(answer.choices[0].message.model_dump())
assert len(messages) == 5
