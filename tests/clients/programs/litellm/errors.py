"""Refusals, as the exceptions that programs catch; and fields that the client drops or sends for a vLLM server."""

import os

import litellm

asked = [{"role": "user", "content": "Say hello."}]
refusal = None
try:
    litellm.completion(model=f"openai/{os.environ['MODEL']}", messages=asked, temperature=9, num_retries=0)
except litellm.BadRequestError as error:
    refusal = error
assert "temperature" in str(refusal), "it was accepted"
model = f"hosted_vllm/{os.environ['MODEL']}"
base_url = os.environ["OPENAI_BASE_URL"]
answer = litellm.completion(model=model, api_base=base_url, messages=asked, top_k=20, n=1, stop=["\n\n"], max_tokens=16)
assert answer.choices[0].finish_reason in ("stop", "length")
