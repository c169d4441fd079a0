"""The client's first example, by its prefix for OpenAI."""

import os

import litellm

answer = litellm.completion(
    model=f"openai/{os.environ['MODEL']}", messages=[{"role": "user", "content": "Say hello."}], max_tokens=16
)
assert answer.choices[0].message.content
