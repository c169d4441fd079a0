"""The gateway: an OpenAI-compatible HTTP API, the evolutions API and the inspector, without any state of its own."""
