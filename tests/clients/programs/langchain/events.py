"""The events of a chain, as a program that shows them to a user reads them."""

import asyncio
import os

from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_openai import ChatOpenAI


async def main() -> None:
    prompt = ChatPromptTemplate.from_messages([("system", "Be brief."), ("user", "Describe {thing}.")])
    chain = prompt | ChatOpenAI(model=os.environ["MODEL"], max_tokens=32) | StrOutputParser()
    kinds = [event["event"] async for event in chain.astream_events({"thing": "the sea"}, version="v2")]
    assert {"on_chat_model_start", "on_chat_model_stream", "on_chat_model_end", "on_parser_stream"} <= set(kinds)


asyncio.run(main())
