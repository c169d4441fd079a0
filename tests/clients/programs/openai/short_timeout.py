"""A client that waits ten seconds gets an answer within them."""

import os

from openai import OpenAI

answer = OpenAI(timeout=10, max_retries=0).chat.completions.create(
    model=os.environ["MODEL"], messages=[{"role": "user", "content": "Write a long story."}], max_tokens=400
)
assert answer.choices[0].message.content
