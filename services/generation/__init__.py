"""The generation service: continues many responses at once on one language model."""
