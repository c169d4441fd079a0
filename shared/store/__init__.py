"""Evolutions in Redis: one hash slot, one script, one step."""
