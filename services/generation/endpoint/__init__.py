"""Any OpenAI-compatible completions endpoint, as `services/generation/openai_engine.py` uses it."""
