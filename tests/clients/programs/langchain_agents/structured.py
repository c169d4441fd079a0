"""An agent whose result has the shape of a class, by the server's schema and by a tool."""

import os

from langchain.agents import create_agent
from langchain.agents.structured_output import ProviderStrategy, ToolStrategy
from langchain_openai import ChatOpenAI
from pydantic import BaseModel


class City(BaseModel):
    """A city."""

    name: str
    country: str


model = ChatOpenAI(model=os.environ["MODEL"], max_tokens=400)
for strategy in (ProviderStrategy(City), ToolStrategy(City)):
    agent = create_agent(model, tools=[], response_format=strategy)
    result = agent.invoke({"messages": [{"role": "user", "content": "Name a city and its country."}]})
    assert isinstance(result["structured_response"], City)
