"""A tool of the client's that the model must call, as the client's adapters hand it on."""

import json
import os

import dspy


def weather(city: str) -> str:
    """The weather in a city."""
    return f"It is sunny in {city}."


model = dspy.LM(f"openai/{os.environ['MODEL']}", api_base=os.environ["OPENAI_BASE_URL"], max_tokens=200, cache=False)
tool = dspy.Tool(weather)
offered = [tool.format_as_litellm_function_call()]
(found,) = model("What is the weather in Paris?", tools=offered, tool_choice="required")
called = found["tool_calls"][0]["function"]
assert called["name"] == "weather"
assert tool(**json.loads(called["arguments"])).startswith("It is sunny in ")
