"""Reward profiles that are managed over HTTP."""
