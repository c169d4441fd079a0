"""Embeddings of a query and of documents."""

import asyncio
import os

from pydantic_ai import Embedder
from pydantic_ai.embeddings.openai import OpenAIEmbeddingModel


async def main() -> None:
    embedder = Embedder(OpenAIEmbeddingModel(os.environ["MODEL"]))
    assert (await embedder.embed_query("the sea")).embeddings[0]
    assert len((await embedder.embed_documents(["a mountain", "a river"])).embeddings) == 2


asyncio.run(main())
