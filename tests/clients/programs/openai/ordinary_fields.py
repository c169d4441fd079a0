"""Fields that programs send whether or not they mean anything by them."""

import os

from openai import OpenAI

answer = OpenAI().chat.completions.create(
    model=os.environ["MODEL"],
    messages=[{"role": "user", "name": "ann", "content": "Say hello."}],
    max_tokens=16,
    n=1,
    temperature=0.7,
    top_p=1,
    presence_penalty=0,
    frequency_penalty=0,
    logit_bias={},
    seed=-1,
    stop=["\n\n"],
    user="u1",
    store=True,
    metadata={"app": "x"},
    service_tier="default",
    safety_identifier="s1",
    prompt_cache_key="k1",
    parallel_tool_calls=False,
    tools=[],
    tool_choice="none",
)
assert answer.choices[0].finish_reason in ("stop", "length")
