"""Which replica of a stage takes a call: their addresses are followed, their health is watched, load is bounded."""

from shared.rpc.balancing.replicas import Replicas

__all__ = ["Replicas"]
