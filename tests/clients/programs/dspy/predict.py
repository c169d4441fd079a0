"""A signature with types, in the shape that the server keeps, where the model does not keep the client's own."""

import os
from typing import Literal

import dspy


class Classify(dspy.Signature):
    """Classify sentiment of a given sentence."""

    sentence: str = dspy.InputField()
    sentiment: Literal["positive", "negative", "neutral"] = dspy.OutputField()
    confidence: float = dspy.OutputField()


dspy.configure(
    lm=dspy.LM(f"openai/{os.environ['MODEL']}", api_base=os.environ["OPENAI_BASE_URL"], max_tokens=400, cache=False)
)
found = dspy.Predict(Classify)(sentence="This book was super fun to read.")
assert found.sentiment in ("positive", "negative", "neutral")
