"""Embeddings of texts and of a question, with its class for servers like OpenAI's."""

import os

from llama_index.embeddings.openai_like import OpenAILikeEmbedding

embeddings = OpenAILikeEmbedding(
    model_name=os.environ["MODEL"], api_base=os.environ["OPENAI_BASE_URL"], api_key=os.environ["OPENAI_API_KEY"]
)
sea, mountain = embeddings.get_text_embedding_batch(["the sea", "a mountain"])
assert sea != mountain
assert len(embeddings.get_query_embedding("water")) == len(sea)
