"""OpenAI's embeddings API: texts become vectors, by the one model that this deployment has for that."""
