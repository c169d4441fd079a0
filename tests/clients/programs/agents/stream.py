"""An agent's events as they stream: pieces of text, and its message."""

import asyncio
import os

from agents import Agent, OpenAIChatCompletionsModel, Runner, set_tracing_disabled
from openai import AsyncOpenAI

set_tracing_disabled(True)
model = OpenAIChatCompletionsModel(model=os.environ["MODEL"], openai_client=AsyncOpenAI())


async def main() -> None:
    result = Runner.run_streamed(Agent(name="helper", model=model), "Describe the sea.")
    events = [event async for event in result.stream_events()]
    pieces = [event.data.delta for event in events if getattr(event, "data", None) and "text.delta" in event.data.type]
    assert "".join(pieces) == result.final_output


asyncio.run(main())
