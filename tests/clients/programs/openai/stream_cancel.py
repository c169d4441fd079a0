"""A stream that is closed before its end, after which the next call is answered."""

import os

from openai import OpenAI

client = OpenAI(max_retries=0)
asked = [{"role": "user", "content": "Write a long story."}]
with client.chat.completions.create(model=os.environ["MODEL"], messages=asked, max_tokens=400, stream=True) as stream:
    assert next(iter(stream)).id
answer = client.chat.completions.create(model=os.environ["MODEL"], messages=asked, max_tokens=8)
assert answer.choices[0].message.content
