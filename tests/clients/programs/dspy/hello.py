"""The client's first example: a signature and a prediction."""

import os

import dspy

model = dspy.LM(f"openai/{os.environ['MODEL']}", api_base=os.environ["OPENAI_BASE_URL"], max_tokens=64, cache=False)
assert model("Say hello.")[0]
