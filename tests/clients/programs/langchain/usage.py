"""What calls cost in tokens, counted by the client's callback over an asynchronous call and a stream."""

import asyncio
import os

from langchain_core.callbacks import get_usage_metadata_callback
from langchain_openai import ChatOpenAI


async def main() -> None:
    model = ChatOpenAI(model=os.environ["MODEL"], max_tokens=16, stream_usage=True)
    with get_usage_metadata_callback() as counted:
        first = await model.ainvoke("Say hello.")
        before = sum(usage["total_tokens"] for usage in counted.usage_metadata.values())
        assert before == first.usage_metadata["total_tokens"]
        assert [chunk async for chunk in model.astream("Say hello.")]
    assert sum(usage["total_tokens"] for usage in counted.usage_metadata.values()) > before


asyncio.run(main())
