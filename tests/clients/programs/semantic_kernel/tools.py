"""An agent with a plugin, one of whose functions it must call."""

import asyncio
import os
from typing import Annotated

from semantic_kernel.agents import ChatCompletionAgent
from semantic_kernel.connectors.ai import FunctionChoiceBehavior
from semantic_kernel.connectors.ai.open_ai import OpenAIChatCompletion
from semantic_kernel.functions import kernel_function

called = []


class MenuPlugin:
    @kernel_function(description="Provides the price of the requested menu item.")
    def get_item_price(self, menu_item: Annotated[str, "The name of the menu item."]) -> str:
        called.append(menu_item)
        return "$9.99"


async def main() -> None:
    agent = ChatCompletionAgent(
        service=OpenAIChatCompletion(ai_model_id=os.environ["MODEL"]),
        name="host",
        instructions="Answer questions about the menu.",
        plugins=[MenuPlugin()],
        function_choice_behavior=FunctionChoiceBehavior.Required(),
    )
    assert str(await agent.get_response("What does the soup cost?"))
    assert called


asyncio.run(main())
