"""An agent that keeps its conversation by a checkpointer, over two turns."""

import os

from langchain.agents import create_agent
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import InMemorySaver

model = ChatOpenAI(model=os.environ["MODEL"], max_tokens=16)
agent = create_agent(model, tools=[], system_prompt="Be brief.", checkpointer=InMemorySaver())
config = {"configurable": {"thread_id": "1"}}
for text in ("Hi! My name is Ann.", "What is my name?"):
    result = agent.invoke({"messages": [{"role": "user", "content": text}]}, config)
assert [message.type for message in result["messages"]] == ["human", "ai", "human", "ai"]
