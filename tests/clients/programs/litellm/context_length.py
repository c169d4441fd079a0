"""A conversation that is too long raises what programs catch to shorten it."""

import os

import litellm

try:
    litellm.completion(
        model=f"openai/{os.environ['MODEL']}", messages=[{"role": "user", "content": "word " * 30_000}], max_tokens=16
    )
except litellm.ContextWindowExceededError:
    pass
else:
    raise AssertionError("it was accepted")
