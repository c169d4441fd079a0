"""The older completions API by the client's prefix for it, whole and as it streams."""

import os

import litellm

model = f"text-completion-openai/{os.environ['MODEL']}"
answer = litellm.text_completion(model=model, prompt="The sea is", max_tokens=16)
assert answer.choices[0].text
stream = litellm.text_completion(model=model, prompt="The sea is", max_tokens=16, stream=True)
assert "".join(chunk.choices[0].text or "" for chunk in stream if chunk.choices)
