"""Embeddings of documents and of a question, sent as text."""

import os

from langchain_openai import OpenAIEmbeddings

# Without this the client sends ids of OpenAI's tokenizer, which no other model has.
embeddings = OpenAIEmbeddings(model=os.environ["MODEL"], check_embedding_ctx_length=False)
sea, mountain = embeddings.embed_documents(["the sea", "a mountain"])
assert len(sea) == len(mountain) == len(embeddings.embed_query("water"))
assert sea != mountain
