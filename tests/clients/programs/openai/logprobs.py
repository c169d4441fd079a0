"""The log probabilities of the answer's tokens."""

import os

from openai import OpenAI

answer = OpenAI().chat.completions.create(
    model=os.environ["MODEL"],
    messages=[{"role": "user", "content": "Say hello."}],
    max_tokens=8,
    logprobs=True,
    top_logprobs=2,
)
assert answer.choices[0].logprobs.content[0].top_logprobs
