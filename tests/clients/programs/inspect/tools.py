"""An evaluation whose model may call a tool; it must end with success."""

import os

import inspect_ai
from inspect_ai import Task
from inspect_ai.dataset import Sample
from inspect_ai.scorer import match
from inspect_ai.solver import generate, system_message, use_tools
from inspect_ai.tool import Tool, tool


@tool
def add() -> Tool:
    async def execute(x: int, y: int) -> int:
        """Add two numbers.

        Args:
            x: First number to add.
            y: Second number to add.
        """
        return x + y

    return execute


solver = [system_message("You can add."), use_tools(add()), generate()]
task = Task(dataset=[Sample(input="What is 1 + 1?", target="2")], solver=solver, scorer=match(numeric=True))
model = f"openai/{os.environ['MODEL']}"
(log,) = inspect_ai.eval(task, model=model, max_tokens=100, message_limit=12, display="plain", log_dir="logs")
assert log.status == "success", log.error
