"""A client that waits too briefly gives up, and the server answers it afterwards."""

import os

import openai

client = openai.OpenAI(max_retries=0)
asked = [{"role": "user", "content": "Say hello."}]
try:
    client.with_options(timeout=0.005).chat.completions.create(model=os.environ["MODEL"], messages=asked)
except openai.APITimeoutError:
    pass
else:
    raise AssertionError("it was answered within five milliseconds")
answer = client.chat.completions.create(model=os.environ["MODEL"], messages=asked, max_tokens=8, timeout=60)
assert answer.choices[0].message.content
