"""Eight calls at once by the asynchronous client."""

import asyncio
import os

from openai import AsyncOpenAI


async def main() -> None:
    client = AsyncOpenAI()
    calls = [
        client.chat.completions.create(
            model=os.environ["MODEL"], messages=[{"role": "user", "content": f"Name {n} animals."}], max_tokens=16
        )
        for n in range(1, 9)
    ]
    answers = await asyncio.gather(*calls)
    assert all(answer.choices[0].message.content for answer in answers)


asyncio.run(main())
