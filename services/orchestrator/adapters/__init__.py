"""The other stages over gRPC, and the evolution as JSON."""
