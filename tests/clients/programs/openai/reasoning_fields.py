"""What programs send to models that reason: a developer's message, an effort, and the newer name of the length."""

import os

from openai import OpenAI

answer = OpenAI().chat.completions.create(
    model=os.environ["MODEL"],
    messages=[{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Say hello."}],
    reasoning_effort="low",
    verbosity="low",
    max_completion_tokens=64,
)
assert answer.choices[0].message.content
assert answer.usage.completion_tokens_details.reasoning_tokens == 0
