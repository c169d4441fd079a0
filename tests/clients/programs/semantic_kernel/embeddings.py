"""Embeddings of two texts."""

import asyncio
import os

from openai import AsyncOpenAI
from semantic_kernel.connectors.ai.open_ai import OpenAITextEmbedding


async def main() -> None:
    service = OpenAITextEmbedding(ai_model_id=os.environ["MODEL"], async_client=AsyncOpenAI())
    sea, mountain = await service.generate_embeddings(["the sea", "a mountain"])
    assert len(sea) == len(mountain) > 0


asyncio.run(main())
