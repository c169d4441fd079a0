"""An agent with a tool that it must call at first, and an answer about the result."""

import os

from agents import (
    Agent,
    ModelSettings,
    OpenAIChatCompletionsModel,
    Runner,
    function_tool,
    set_tracing_disabled,
)
from openai import AsyncOpenAI


@function_tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"The weather in {city} is sunny."


set_tracing_disabled(True)
model = OpenAIChatCompletionsModel(model=os.environ["MODEL"], openai_client=AsyncOpenAI())
settings = ModelSettings(tool_choice="required", max_tokens=200)
agent = Agent(name="helper", model=model, tools=[get_weather], model_settings=settings)
result = Runner.run_sync(agent, "What's the weather in Tokyo?")
assert result.final_output
assert {"tool_call_item", "tool_call_output_item"} <= {item.type for item in result.new_items}
