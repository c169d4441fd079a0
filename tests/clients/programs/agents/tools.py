"""An agent that must call a tool and then answers, by the responses API, at once and streamed."""

import asyncio
import os
from typing import Literal

from agents import Agent, ModelSettings, Runner, function_tool, set_tracing_disabled

set_tracing_disabled(True)
called = []


@function_tool
def weather(city: Literal["Paris", "Rome"]) -> str:
    """Tells the weather of a city."""
    called.append(city)
    return "sunny"


agent = Agent(
    name="helper",
    instructions="Be brief.",
    model=os.environ["MODEL"],
    model_settings=ModelSettings(tool_choice="required", parallel_tool_calls=False),
    tools=[weather],
)


async def main() -> None:
    assert (await Runner.run(agent, "What is the weather in Paris?")).final_output is not None
    assert called
    called.clear()
    streamed = Runner.run_streamed(agent, "What is the weather in Rome?")
    async for _ in streamed.stream_events():
        pass
    assert streamed.final_output is not None
    assert called


asyncio.run(main())
