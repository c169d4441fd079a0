"""Real chat templates, and tokenizers and checkpoints of every kind, built in milliseconds."""
