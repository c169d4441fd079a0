"""What a program counts: the usage of a stream, put together again, and the callback of each success."""

import os
import time

import litellm

seen = []


def count(kwargs: dict, response: object, began: object, ended: object) -> None:
    seen.append(response)


litellm.success_callback = [count]
asked = [{"role": "user", "content": "Describe the sea."}]
stream = litellm.completion(
    model=f"openai/{os.environ['MODEL']}",
    messages=asked,
    max_tokens=32,
    stream=True,
    stream_options={"include_usage": True},
)
whole = litellm.stream_chunk_builder(list(stream), messages=asked)
assert whole.choices[0].message.content
assert 0 < whole.usage.completion_tokens <= 32
assert litellm.completion_cost(whole, model="gpt-4o-mini") > 0
give_up = time.monotonic() + 20
while not seen and time.monotonic() < give_up:
    time.sleep(0.1)
assert seen
