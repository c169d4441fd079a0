"""A tool that must be called, which the client calls with the arguments of the answer."""

import os

from llama_index.core.tools import FunctionTool
from llama_index.llms.openai_like import OpenAILike


def weather(city: str) -> str:
    """The weather in a city."""
    return f"It is sunny in {city}."


model = OpenAILike(
    model=os.environ["MODEL"],
    api_base=os.environ["OPENAI_BASE_URL"],
    api_key=os.environ["OPENAI_API_KEY"],
    is_chat_model=True,
    is_function_calling_model=True,
    max_tokens=400,
)
response = model.predict_and_call(
    [FunctionTool.from_defaults(weather)], "What is the weather in Paris?", tool_required=True
)
assert response.response.startswith("It is sunny in "), response
