"""Which models there are, and one of them."""

import os

from openai import OpenAI

client = OpenAI()
models = [model.id for model in client.models.list()]
assert models
assert client.models.retrieve(models[0]).id == models[0]
assert os.environ["MODEL"]
