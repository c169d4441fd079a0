"""An agent that reasons and acts with a tool, for one step and the answer after it."""

import os

import dspy


def weather(city: str) -> str:
    """The weather in a city."""
    return f"It is sunny in {city}."


dspy.configure(
    lm=dspy.LM(f"openai/{os.environ['MODEL']}", api_base=os.environ["OPENAI_BASE_URL"], max_tokens=400, cache=False)
)
found = dspy.ReAct("question -> answer", tools=[weather], max_iters=1)(question="What is the weather in Paris?")
assert isinstance(found.answer, str)
