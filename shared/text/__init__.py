"""Conversations and text as a model's token ids, and back."""
