"""A question that is thought about before it is answered, asynchronously, with what it used."""

import asyncio
import os

import dspy


async def main() -> None:
    answer = dspy.ChainOfThought("question -> answer")
    found = await answer.acall(question="How many floors are in the castle?")
    assert isinstance(found.reasoning, str)
    assert isinstance(found.answer, str)
    assert sum(usage["total_tokens"] for usage in found.get_lm_usage().values()) > 0


dspy.configure(
    lm=dspy.LM(f"openai/{os.environ['MODEL']}", api_base=os.environ["OPENAI_BASE_URL"], max_tokens=400, cache=False)
)
dspy.configure(track_usage=True)
asyncio.run(main())
