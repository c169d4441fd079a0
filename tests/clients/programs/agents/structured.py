"""An agent whose final output has the shape of a class."""

import os

from agents import Agent, OpenAIChatCompletionsModel, Runner, set_tracing_disabled
from openai import AsyncOpenAI
from pydantic import BaseModel


class CalendarEvent(BaseModel):
    name: str
    participants: list[str]


set_tracing_disabled(True)
model = OpenAIChatCompletionsModel(model=os.environ["MODEL"], openai_client=AsyncOpenAI())
agent = Agent(name="helper", instructions="Extract calendar events.", model=model, output_type=CalendarEvent)
assert isinstance(Runner.run_sync(agent, "Ann and Bob go to a fair.").final_output, CalendarEvent)
