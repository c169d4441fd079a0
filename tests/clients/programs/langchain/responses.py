"""The class for OpenAI by the responses API: an answer, a stream and a shape."""

import os

from langchain_openai import ChatOpenAI
from pydantic import BaseModel


class City(BaseModel):
    name: str
    country: str


model = ChatOpenAI(model=os.environ["MODEL"], max_tokens=400, use_responses_api=True)
answer = model.invoke("Say hello.")
assert answer.text
assert answer.usage_metadata["output_tokens"] > 0
assert "".join(chunk.text for chunk in model.stream("Say hello."))
assert isinstance(model.with_structured_output(City).invoke("Name a city and its country."), City)
