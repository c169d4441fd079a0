"""An agent's events by the responses API as it streams."""

import asyncio
import os

from agents import Agent, Runner, set_tracing_disabled

set_tracing_disabled(True)


async def main() -> None:
    result = Runner.run_streamed(Agent(name="helper", model=os.environ["MODEL"]), "Describe the sea.")
    kinds = [event.data.type async for event in result.stream_events() if event.type == "raw_response_event"]
    assert "response.output_text.delta" in kinds
    assert kinds[-1] == "response.completed"
    assert result.final_output


asyncio.run(main())
