"""What stands around an answer: a request's id, the type of its body, and a body that is the parsed answer's."""

import os

from openai import OpenAI

asked = [{"role": "user", "content": "Say hello."}]
raw = OpenAI().chat.completions.with_raw_response.create(model=os.environ["MODEL"], messages=asked, max_tokens=8)
assert raw.headers["content-type"].startswith("application/json")
assert raw.headers["x-request-id"]
answer = raw.parse()
assert answer._request_id == raw.headers["x-request-id"]
assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
