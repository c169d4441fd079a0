"""An agent that streams, over two turns of one thread."""

import asyncio
import os

from semantic_kernel.agents import ChatCompletionAgent, ChatHistoryAgentThread
from semantic_kernel.connectors.ai.open_ai import OpenAIChatCompletion


async def main() -> None:
    service = OpenAIChatCompletion(ai_model_id=os.environ["MODEL"])
    agent = ChatCompletionAgent(service=service, name="helper", instructions="Be brief.")
    thread = ChatHistoryAgentThread()
    for text in ("Name a colour.", "And another one?"):
        pieces = [str(piece.content) async for piece in agent.invoke_stream(messages=text, thread=thread)]
        assert "".join(pieces)
    assert len(thread) == 4


asyncio.run(main())
