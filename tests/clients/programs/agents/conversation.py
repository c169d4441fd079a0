"""Two turns: by the first one's items, and by a session that keeps them."""

import asyncio
import os

from agents import Agent, OpenAIChatCompletionsModel, Runner, SQLiteSession, set_tracing_disabled
from openai import AsyncOpenAI

set_tracing_disabled(True)
model = OpenAIChatCompletionsModel(model=os.environ["MODEL"], openai_client=AsyncOpenAI())


async def main() -> None:
    agent = Agent(name="helper", instructions="Be brief.", model=model)
    first = await Runner.run(agent, "Name a colour.")
    asked = [*first.to_input_list(), {"role": "user", "content": "And another one?"}]
    assert (await Runner.run(agent, asked)).final_output
    session = SQLiteSession("one")
    for text in ("Name a colour.", "And another one?"):
        await Runner.run(agent, text, session=session)
    assert len(await session.get_items()) == 4


asyncio.run(main())
