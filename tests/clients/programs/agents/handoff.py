"""An agent that hands over to another one, which it must: the handover is a tool."""

import os

from agents import Agent, ModelSettings, OpenAIChatCompletionsModel, Runner, set_tracing_disabled
from openai import AsyncOpenAI

set_tracing_disabled(True)
model = OpenAIChatCompletionsModel(model=os.environ["MODEL"], openai_client=AsyncOpenAI())
spanish = Agent(name="Spanish agent", instructions="You only speak Spanish.", model=model)
triage = Agent(
    name="Triage agent", model=model, handoffs=[spanish], model_settings=ModelSettings(tool_choice="required")
)
result = Runner.run_sync(triage, "Hola, ¿cómo estás?")
assert result.last_agent.name == "Spanish agent"
assert result.final_output
