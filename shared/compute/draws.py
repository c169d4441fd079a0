"""Random choices that depend on nothing but their names, so that whoever repeats them draws the same."""

import hashlib


def keyed_integer(seed: int, *key: object) -> int:
    """A 63-bit integer, uniform over keys and seeds (BLAKE2b)."""
    digest = hashlib.blake2b(repr((seed, *key)).encode(), digest_size=8).digest()
    return int.from_bytes(digest) >> 1
