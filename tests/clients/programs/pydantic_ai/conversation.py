"""A second turn with the messages of the first, and a limit on what it may use."""

import os

from pydantic_ai import Agent, UsageLimits
from pydantic_ai.models.openai import OpenAIChatModel

agent = Agent(OpenAIChatModel(os.environ["MODEL"]), system_prompt="Be brief.", model_settings={"max_tokens": 16})
first = agent.run_sync("Name a colour.")
second = agent.run_sync(
    "And another one?", message_history=first.new_messages(), usage_limits=UsageLimits(request_limit=1)
)
assert len(second.all_messages()) == 4
assert second.usage.output_tokens > 0
