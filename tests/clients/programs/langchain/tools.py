"""A tool that must be called, its result, and the answer about it."""

import os

from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"It is sunny in {city}."


model, messages = ChatOpenAI(model=os.environ["MODEL"], max_tokens=200), [HumanMessage("What is the weather in Paris?")]
called = model.bind_tools([weather], tool_choice="any").invoke(messages)
assert called.tool_calls[0]["name"] == "weather"
messages += [called, *(weather.invoke(call) for call in called.tool_calls)]
answer = model.bind_tools([weather], tool_choice="none").invoke(messages)
assert answer.content
