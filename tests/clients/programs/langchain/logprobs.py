"""Log probabilities of an answer's tokens, as they are bound to a model."""

import os

from langchain_openai import ChatOpenAI

model = ChatOpenAI(model=os.environ["MODEL"], max_tokens=8).bind(logprobs=True, top_logprobs=2)
found = model.invoke("Say hello.").response_metadata["logprobs"]["content"]
assert all(entry["logprob"] <= 0 and len(entry["top_logprobs"]) == 2 for entry in found)
