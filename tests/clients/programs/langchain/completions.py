"""The class for the older completions API: an answer, a stream and a batch."""

import os

from langchain_openai import OpenAI

model = OpenAI(model=os.environ["MODEL"], max_tokens=16)
assert model.invoke("The sea is")
assert "".join(model.stream("A mountain is"))
assert all(model.batch(["The city of", "A river is"]))
