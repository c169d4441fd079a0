"""Embeddings of a document and of a question."""

import os

from haystack import Document
from haystack.components.embedders import OpenAIDocumentEmbedder, OpenAITextEmbedder

where = {"model": os.environ["MODEL"], "api_base_url": os.environ["OPENAI_BASE_URL"]}
document = OpenAIDocumentEmbedder(**where).run([Document(content="the sea")])["documents"][0]
question = OpenAITextEmbedder(**where).run("water")
assert len(document.embedding) == len(question["embedding"])
assert question["meta"]["usage"]["prompt_tokens"] > 0
