"""Webhooks: events about batches and background responses, sent as Standard Webhooks says."""
