"""A program that streams: a piece of its field at a time, and the prediction at the end."""

import asyncio
import os

import dspy


async def main() -> None:
    predict = dspy.streamify(dspy.Predict("question -> answer"))
    parts = [part async for part in predict(question="Why is the sea blue?")]
    assert len(parts) > 1
    assert isinstance(parts[-1], dspy.Prediction)


dspy.configure(
    lm=dspy.LM(f"openai/{os.environ['MODEL']}", api_base=os.environ["OPENAI_BASE_URL"], max_tokens=400, cache=False)
)
dspy.configure(adapter=dspy.JSONAdapter())
asyncio.run(main())
