"""The client's first example of an agent: a tool that it may call, and an answer, by events that stream."""

import asyncio
import os

from llama_index.core.agent.workflow import AgentStream, FunctionAgent
from llama_index.llms.openai_like import OpenAILike


def multiply(a: float, b: float) -> float:
    """Useful for multiplying two numbers."""
    return a * b


model = OpenAILike(
    model=os.environ["MODEL"],
    api_base=os.environ["OPENAI_BASE_URL"],
    api_key=os.environ["OPENAI_API_KEY"],
    is_chat_model=True,
    is_function_calling_model=True,
    max_tokens=400,
)


async def main() -> None:
    agent = FunctionAgent(tools=[multiply], llm=model, system_prompt="You can multiply two numbers.")
    handler = agent.run(user_msg="What is 1234 * 4567?")
    pieces = [event async for event in handler.stream_events() if isinstance(event, AgentStream)]
    assert pieces
    assert str(await handler)


asyncio.run(main())
