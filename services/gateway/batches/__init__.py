"""Batches: files of requests, each line of which is answered when there is room."""
