"""An answer in the shape of a class."""

import os

from langchain_openai import ChatOpenAI
from pydantic import BaseModel


class City(BaseModel):
    name: str
    country: str


model = ChatOpenAI(model=os.environ["MODEL"], max_tokens=200).with_structured_output(City)
assert isinstance(model.invoke("Name a city and its country."), City)
