"""The model by itself, as an agent calls it."""

import os

from smolagents import OpenAIServerModel

model = OpenAIServerModel(
    model_id=os.environ["MODEL"], api_base=os.environ["OPENAI_BASE_URL"], api_key=os.environ["OPENAI_API_KEY"]
)
assert model([{"role": "user", "content": [{"type": "text", "text": "Say hello."}]}], max_tokens=16).content
