"""Rewards by comparing the responses of a population with each other, which mean something within it only."""
