"""Embeddings of two texts, as numbers and as base64."""

import os

from openai import OpenAI

client, texts = OpenAI(), ["the sea", "a mountain"]
# The client asks for base64 by itself, and decodes it.
found = client.embeddings.create(model=os.environ["MODEL"], input=texts)
assert len(found.data) == 2
assert found.data[0].embedding != found.data[1].embedding
assert found.usage.prompt_tokens == found.usage.total_tokens > 0
numbers = client.embeddings.create(model=os.environ["MODEL"], input=texts, encoding_format="float")
assert all(
    abs(one - other) < 1e-6 for one, other in zip(numbers.data[0].embedding, found.data[0].embedding, strict=True)
)
