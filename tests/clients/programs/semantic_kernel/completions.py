"""The service for the older completions API: an answer and a stream."""

import asyncio
import os

from openai import AsyncOpenAI
from semantic_kernel.connectors.ai.open_ai import OpenAITextCompletion, OpenAITextPromptExecutionSettings


async def main() -> None:
    service = OpenAITextCompletion(ai_model_id=os.environ["MODEL"], async_client=AsyncOpenAI())
    settings = OpenAITextPromptExecutionSettings(max_tokens=16)
    assert (await service.get_text_content("The sea is", settings)).text
    pieces = [piece async for piece in service.get_streaming_text_content("The sea is", settings)]
    assert "".join(piece.text for piece in pieces if piece)


asyncio.run(main())
