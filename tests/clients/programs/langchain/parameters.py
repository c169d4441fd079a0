"""Parameters of a model: several answers, stop strings, a seed, and a time-out with retries."""

import os

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_openai import ChatOpenAI

model = ChatOpenAI(model=os.environ["MODEL"], max_tokens=16, n=2, temperature=1, seed=3, timeout=60, max_retries=2)
turns = [SystemMessage("Be brief."), HumanMessage("Hello."), AIMessage("Hello!"), HumanMessage("Name a colour.")]
(generations,) = model.generate([turns], stop=["\n\n"]).generations
assert len(generations) == 2
assert all(generation.generation_info["finish_reason"] in ("stop", "length") for generation in generations)
