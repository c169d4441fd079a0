"""What balancing over replicas costs and gains, by policy."""
