"""Benchmarks; each prints a table and writes `bench/out/*.json`."""
