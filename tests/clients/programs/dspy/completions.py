"""The older completions API, by the type of the model."""

import os

import dspy

model = dspy.LM(
    f"openai/{os.environ['MODEL']}",
    model_type="text",
    api_base=os.environ["OPENAI_BASE_URL"],
    api_key="none",
    max_tokens=32,
    cache=False,
)
assert model("The sea is")[0]
