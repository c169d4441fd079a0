"""Continues many token sequences at once, on one of several engines."""
