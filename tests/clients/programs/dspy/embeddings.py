"""Embeddings of two texts, in a batch."""

import os

import dspy

embedder = dspy.Embedder(f"openai/{os.environ['MODEL']}", api_base=os.environ["OPENAI_BASE_URL"], caching=False)
assert embedder(["the sea", "a mountain"]).shape[0] == 2
