"""What batches may hold, and how much of them is done at a time."""

from dataclasses import dataclass


@dataclass(frozen=True)
class BatchLimits:
    """Lines of a batch, lines of all batches that run at once, and the bytes of a tenant's files and of all files."""

    lines: int = 50_000
    running: int = 8
    tenant_bytes: int = 128 * 1024 * 1024
    total_bytes: int = 512 * 1024 * 1024
    ttl_s: int = 30 * 86_400


USUAL_LIMITS = BatchLimits()
