"""The client around an ordinary call, without a shape."""

import os

import instructor
from openai import OpenAI

client = instructor.from_openai(OpenAI())
answer = client.chat.completions.create(
    model=os.environ["MODEL"],
    response_model=None,
    messages=[{"role": "user", "content": "Say hello."}],
    max_tokens=16,
)
assert answer.choices[0].message.content
