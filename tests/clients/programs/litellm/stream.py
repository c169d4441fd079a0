"""Text as it comes, by the asynchronous call."""

import asyncio
import os

import litellm


async def main() -> None:
    stream = await litellm.acompletion(
        model=f"openai/{os.environ['MODEL']}",
        messages=[{"role": "user", "content": "Describe the sea."}],
        max_tokens=32,
        stream=True,
    )
    parts = [chunk.choices[0].delta.content async for chunk in stream if chunk.choices]
    assert "".join(part or "" for part in parts)


asyncio.run(main())
