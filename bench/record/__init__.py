"""What an evolution writes to Redis, by kind, against the text that it samples, and what a round costs a worker."""
