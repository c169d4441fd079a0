"""A prompt, a model and a parser in a chain, in a batch."""

import os

from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_openai import ChatOpenAI

prompt = ChatPromptTemplate.from_messages([("system", "Be brief."), ("user", "Name a {thing}.")])
chain = prompt | ChatOpenAI(model=os.environ["MODEL"], max_tokens=16) | StrOutputParser()
answers = chain.batch([{"thing": thing} for thing in ("fruit", "colour", "river")])
assert all(answers)
