"""The older completions API with several prompts in one call."""

import os

from openai import OpenAI

prompts = ["The sea is", "A mountain is", "The city of"]
answer = OpenAI().completions.create(model=os.environ["MODEL"], prompt=prompts, max_tokens=8)
assert [choice.index for choice in answer.choices] == [0, 1, 2]
assert all(choice.text for choice in answer.choices)
