"""Scores responses, partial ones too, under a profile of weighted components."""
