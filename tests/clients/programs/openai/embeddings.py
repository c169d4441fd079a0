"""Embeddings of two texts."""

import os

from openai import OpenAI

found = OpenAI().embeddings.create(model=os.environ["MODEL"], input=["the sea", "a mountain"])
assert len(found.data) == 2
assert found.data[0].embedding != found.data[1].embedding
