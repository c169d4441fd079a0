"""The older completions API: a prompt is continued."""

import os

from openai import OpenAI

answer = OpenAI().completions.create(model=os.environ["MODEL"], prompt="The sea is", max_tokens=16)
assert answer.choices[0].text
assert answer.usage.completion_tokens > 0
