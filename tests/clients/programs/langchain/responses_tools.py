"""A tool by the responses API: called, answered, and answered about."""

import os

from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"It is sunny in {city}."


model = ChatOpenAI(model=os.environ["MODEL"], max_tokens=200, use_responses_api=True)
messages = [HumanMessage("What is the weather in Paris?")]
called = model.bind_tools([weather], tool_choice="any").invoke(messages)
messages += [called, *(weather.invoke(call) for call in called.tool_calls)]
assert len(messages) > 2
assert model.bind_tools([weather], tool_choice="none").invoke(messages).text
