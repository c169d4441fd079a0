"""The client's first example."""

import os

from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel

agent = Agent(OpenAIChatModel(os.environ["MODEL"]), instructions="Be brief.")
assert agent.run_sync("Say hello.").output
