"""The client's first example, by the chat completions API."""

import os

from agents import Agent, OpenAIChatCompletionsModel, Runner, set_tracing_disabled
from openai import AsyncOpenAI

set_tracing_disabled(True)
model = OpenAIChatCompletionsModel(model=os.environ["MODEL"], openai_client=AsyncOpenAI())
assert Runner.run_sync(Agent(name="helper", instructions="Be brief.", model=model), "Say hello.").final_output
