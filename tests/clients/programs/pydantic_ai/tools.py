"""An agent with tools of two kinds, which it may call."""

import os

from pydantic_ai import Agent, RunContext
from pydantic_ai.models.openai import OpenAIChatModel

agent = Agent(OpenAIChatModel(os.environ["MODEL"]), deps_type=str, instructions="Use the player's name.")


@agent.tool_plain
def roll_dice() -> str:
    """Roll a six-sided die and return the result."""
    return "4"


@agent.tool
def get_player_name(ctx: RunContext[str]) -> str:
    """Get the player's name."""
    return ctx.deps


result = agent.run_sync("My guess is 4.", deps="Anne", model_settings={"max_tokens": 200})
assert result.output
assert result.usage.requests >= 1
