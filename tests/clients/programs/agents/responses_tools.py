"""The client's example of a tool as it is, by the responses API; the tool must be called at first."""

import os

from agents import Agent, ModelSettings, Runner, function_tool, set_tracing_disabled


@function_tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"The weather in {city} is sunny."


set_tracing_disabled(True)
settings = ModelSettings(tool_choice="required", max_tokens=200)
agent = Agent(name="helper", model=os.environ["MODEL"], tools=[get_weather], model_settings=settings)
result = Runner.run_sync(agent, "What's the weather in Tokyo?")
assert result.final_output
assert {"tool_call_item", "tool_call_output_item"} <= {item.type for item in result.new_items}
