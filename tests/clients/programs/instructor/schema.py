"""An answer in the shape of a class by the schema that the server keeps, asynchronously, with the whole completion."""

import asyncio
import os
from typing import Literal

import instructor
from openai import AsyncOpenAI
from pydantic import BaseModel, Field


class Ticket(BaseModel):
    kind: Literal["bug", "question"]
    priority: int = Field(ge=1, le=5)


async def main() -> None:
    client = instructor.from_openai(AsyncOpenAI(), mode=instructor.Mode.JSON_SCHEMA)
    ticket, completion = await client.chat.completions.create_with_completion(
        model=os.environ["MODEL"],
        response_model=Ticket,
        messages=[{"role": "user", "content": "The button does nothing. Classify it."}],
        max_tokens=400,
        max_retries=1,
    )
    assert isinstance(ticket, Ticket)
    assert completion.usage.total_tokens > 0


asyncio.run(main())
