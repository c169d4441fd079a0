"""The model by itself as it streams, with the usage at the end."""

import os

from smolagents import OpenAIModel

model = OpenAIModel(
    model_id=os.environ["MODEL"],
    api_base=os.environ["OPENAI_BASE_URL"],
    api_key=os.environ["OPENAI_API_KEY"],
    max_tokens=200,
)
deltas = list(model.generate_stream([{"role": "user", "content": [{"type": "text", "text": "Describe the sea."}]}]))
assert "".join(delta.content or "" for delta in deltas)
assert deltas[-1].token_usage.output_tokens > 0
