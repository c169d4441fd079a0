"""Reward models behind HTTP: vLLM, text-embeddings-inference, OpenRLHF."""
