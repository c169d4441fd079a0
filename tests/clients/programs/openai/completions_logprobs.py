"""The older completions API with log probabilities, and with the prompt before its continuation."""

import os

from openai import OpenAI

answer = OpenAI().completions.create(
    model=os.environ["MODEL"], prompt="The sea is", max_tokens=4, logprobs=1, echo=True, temperature=0
)
found = answer.choices[0].logprobs
assert answer.choices[0].text.startswith("The sea is")
assert len(found.tokens) == len(found.token_logprobs) == len(found.text_offset)
assert found.token_logprobs[0] is None
assert all(value <= 0 for value in found.token_logprobs[1:])
