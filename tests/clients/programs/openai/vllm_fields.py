"""Fields of vLLM's own, which its documentation sends in `extra_body`."""

import os

from openai import OpenAI

answer = OpenAI().chat.completions.create(
    model=os.environ["MODEL"],
    messages=[{"role": "user", "content": "Is the sea blue?"}],
    max_tokens=16,
    extra_body={
        "structured_outputs": {"choice": ["yes", "no"]},
        "top_k": 20,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "min_tokens": 0,
    },
)
assert answer.choices[0].message.content in ("yes", "no")
