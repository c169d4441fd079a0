"""An agent that calls tools, which it must at each step, for one step and the answer after it."""

import os

from smolagents import OpenAIModel, ToolCallingAgent, tool


@tool
def weather(city: str) -> str:
    """The weather in a city.

    Args:
        city: The name of the city.
    """
    return f"It is sunny in {city}."


model = OpenAIModel(
    model_id=os.environ["MODEL"],
    api_base=os.environ["OPENAI_BASE_URL"],
    api_key=os.environ["OPENAI_API_KEY"],
    max_tokens=200,
)
agent = ToolCallingAgent(tools=[weather], model=model, max_steps=1)
assert agent.run("What is the weather in Paris?")
step = next(step for step in agent.memory.steps if getattr(step, "tool_calls", None))
assert step.tool_calls[0].name in ("weather", "final_answer")
