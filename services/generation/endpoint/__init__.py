"""An OpenAI-compatible completions endpoint: what it can do, its requests, its responses and its errors."""
