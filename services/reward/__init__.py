"""The reward service: scores responses under profiles, each a weighted sum of components."""
