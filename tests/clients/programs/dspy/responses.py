"""The responses API, by the type of the model."""

import os

import dspy

model = dspy.LM(
    f"openai/{os.environ['MODEL']}",
    model_type="responses",
    api_base=os.environ["OPENAI_BASE_URL"],
    max_tokens=64,
    cache=False,
)
assert model("Say hello.")[0]
