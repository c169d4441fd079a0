"""Embeddings of two texts, by its prefix for OpenAI."""

import os

import litellm

found = litellm.embedding(model=f"openai/{os.environ['MODEL']}", input=["the sea", "a mountain"])
assert found.data[0]["embedding"] != found.data[1]["embedding"]
assert found.usage.prompt_tokens > 0
