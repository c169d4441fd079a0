"""A function that is a prompt with variables, in a kernel."""

import asyncio
import os

from semantic_kernel import Kernel
from semantic_kernel.connectors.ai.open_ai import OpenAIChatCompletion, OpenAIChatPromptExecutionSettings
from semantic_kernel.functions import KernelArguments


async def main() -> None:
    kernel = Kernel()
    kernel.add_service(OpenAIChatCompletion(ai_model_id=os.environ["MODEL"]))
    settings = OpenAIChatPromptExecutionSettings(max_tokens=16, temperature=0.7, top_p=0.8)
    result = await kernel.invoke_prompt("Name a {{$thing}}.", arguments=KernelArguments(settings, thing="river"))
    assert str(result)


asyncio.run(main())
