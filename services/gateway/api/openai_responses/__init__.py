"""OpenAI's Responses API: each response is an evolution that may be read, followed and cancelled."""
