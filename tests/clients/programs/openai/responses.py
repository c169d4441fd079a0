"""The responses API."""

import os

from openai import OpenAI

answer = OpenAI().responses.create(model=os.environ["MODEL"], input="Say hello.", max_output_tokens=16)
assert answer.output_text
