"""Ordinary small programs of other people's client libraries, run against Darwin and against a plain vLLM server."""
