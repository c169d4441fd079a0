"""Chooses which replica of a stage takes a call: follows addresses, watches health, bounds load."""

from shared.rpc.balancing.replicas import Replicas

__all__ = ["Replicas"]
