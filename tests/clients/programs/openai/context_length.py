"""A conversation that is too long is refused with the code that programs look for."""

import os

from openai import BadRequestError, OpenAI

refusal = None
try:
    OpenAI().chat.completions.create(
        model=os.environ["MODEL"], messages=[{"role": "user", "content": "word " * 30_000}], max_tokens=16
    )
except BadRequestError as error:
    refusal = error
assert refusal is not None, "it was accepted"
assert "maximum context length" in str(refusal), str(refusal)
