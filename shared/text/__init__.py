"""Tokenizers, chat templates, the sentence encoder, and models that come in packages."""
