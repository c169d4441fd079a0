"""The client's first example."""

import os

from langchain_openai import ChatOpenAI

answer = ChatOpenAI(model=os.environ["MODEL"], max_tokens=16).invoke("Say hello.")
assert answer.content
assert answer.usage_metadata["total_tokens"] > 0
