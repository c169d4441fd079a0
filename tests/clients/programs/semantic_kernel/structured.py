"""An answer in the shape of a class, by the settings of the service."""

import asyncio
import os

from pydantic import BaseModel
from semantic_kernel.connectors.ai.open_ai import OpenAIChatCompletion, OpenAIChatPromptExecutionSettings
from semantic_kernel.contents import ChatHistory


class Step(BaseModel):
    explanation: str
    output: str


class Reasoning(BaseModel):
    steps: list[Step]
    final_answer: str


async def main() -> None:
    service = OpenAIChatCompletion(ai_model_id=os.environ["MODEL"])
    settings = OpenAIChatPromptExecutionSettings(response_format=Reasoning, max_tokens=600)
    history = ChatHistory(system_message="Be brief.")
    history.add_user_message("How much is 8x + 7 = -23?")
    answer = await service.get_chat_message_content(history, settings)
    Reasoning.model_validate_json(answer.content)


asyncio.run(main())
