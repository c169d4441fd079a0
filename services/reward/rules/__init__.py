"""Checks of a response that a profile declares, without code."""
