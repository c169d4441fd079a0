"""The client's first example, with the base URL from the environment."""

import os

from openai import OpenAI

answer = OpenAI().chat.completions.create(
    model=os.environ["MODEL"], messages=[{"role": "user", "content": "Say hello."}], max_tokens=16
)
assert answer.choices[0].message.content
assert answer.model == os.environ["MODEL"]
