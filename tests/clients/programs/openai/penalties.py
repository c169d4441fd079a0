"""Sampling that programs tune: penalties, biases, several answers."""

import os

from openai import OpenAI

answer = OpenAI().chat.completions.create(
    model=os.environ["MODEL"],
    messages=[{"role": "user", "content": "Name a colour."}],
    max_tokens=16,
    n=2,
    presence_penalty=0.4,
    frequency_penalty=0.4,
    logit_bias={"42": -100},
)
assert 1 <= len(answer.choices) <= 2
