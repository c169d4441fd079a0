"""Rewrites instructions: templates, the language model's rewrites, and the guards that both must pass."""
