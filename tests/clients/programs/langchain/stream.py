"""Text as it comes, and the usage at the end."""

import os

from langchain_openai import ChatOpenAI

model = ChatOpenAI(model=os.environ["MODEL"], max_tokens=32, stream_usage=True)
whole = None
for chunk in model.stream("Describe the sea."):
    whole = chunk if whole is None else whole + chunk
assert whole.content
assert whole.usage_metadata["output_tokens"] > 0
