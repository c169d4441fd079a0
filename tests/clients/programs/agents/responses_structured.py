"""An agent whose final output has the shape of a class, by the responses API, over two turns."""

import os

from agents import Agent, Runner, set_tracing_disabled
from pydantic import BaseModel


class City(BaseModel):
    name: str
    country: str


set_tracing_disabled(True)
agent = Agent(name="helper", model=os.environ["MODEL"], output_type=City)
first = Runner.run_sync(agent, "Name a city and its country.")
assert isinstance(first.final_output, City)
second = Runner.run_sync(agent, "Another one.", previous_response_id=first.last_response_id)
assert isinstance(second.final_output, City)
