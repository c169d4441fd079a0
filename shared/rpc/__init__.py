"""gRPC as Darwin speaks it: channels, servers, health, TLS, replicas."""
