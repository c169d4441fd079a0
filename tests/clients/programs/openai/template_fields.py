"""A field of the chat template, by which programs keep models from reasoning."""

import os

from openai import OpenAI

answer = OpenAI().chat.completions.create(
    model=os.environ["MODEL"],
    messages=[{"role": "user", "content": "Say hello."}],
    max_tokens=16,
    extra_body={"chat_template_kwargs": {"enable_thinking": False}},
)
assert answer.choices[0].message.content
