"""An answer in the shape of a class: by a function that is called, and by the schema that the server keeps."""

import os

from llama_index.core.llms import ChatMessage
from llama_index.llms.openai_like import OpenAILike
from pydantic import BaseModel


class City(BaseModel):
    """A city."""

    name: str
    country: str


model = OpenAILike(
    model=os.environ["MODEL"],
    api_base=os.environ["OPENAI_BASE_URL"],
    api_key=os.environ["OPENAI_API_KEY"],
    is_chat_model=True,
    is_function_calling_model=True,
    max_tokens=400,
)
asked = [ChatMessage(role="user", content="Paris is in France. Name the city and its country.")]
assert isinstance(model.as_structured_llm(City).chat(asked).raw, City)
model.should_use_structured_outputs = True
assert isinstance(model.as_structured_llm(City).chat(asked).raw, City)
