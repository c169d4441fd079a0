"""The client's first example as it is, by the responses API."""

import os

from agents import Agent, Runner, set_tracing_disabled

set_tracing_disabled(True)
assert Runner.run_sync(
    Agent(name="helper", instructions="Be brief.", model=os.environ["MODEL"]), "Say hello."
).final_output
