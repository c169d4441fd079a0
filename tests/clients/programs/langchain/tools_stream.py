"""A call of a tool that is streamed, put together by adding chunks."""

import os

from langchain_core.tools import tool
from langchain_openai import ChatOpenAI


@tool
def multiply(a: int, b: int) -> int:
    """The product of two numbers."""
    return a * b


model = ChatOpenAI(model=os.environ["MODEL"], max_tokens=200).bind_tools([multiply], tool_choice="multiply")
whole = None
for chunk in model.stream("How much is 2 times 3?"):
    whole = chunk if whole is None else whole + chunk
assert len(whole.tool_calls) == 1, whole
assert set(whole.tool_calls[0]["args"]) == {"a", "b"}
