"""How much memory this process has, and how much of it models may take."""

import sys
from contextlib import suppress
from pathlib import Path

import psutil

_SHARE = 0.75
_CGROUP = Path("/sys/fs/cgroup/memory.max")


def taken() -> int:
    """Bytes that this process holds, those of torch on GPUs among them."""
    resident = int(psutil.Process().memory_info().rss)
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return resident
    return resident + sum(int(torch.cuda.memory_allocated(device)) for device in range(torch.cuda.device_count()))


def most_for_models() -> int:
    """Bytes that models may take where no setting says it: three quarters of what the machine or the container has."""
    has = int(psutil.virtual_memory().total)
    with suppress(OSError, ValueError):
        has = min(has, int(_CGROUP.read_text()))
    return int(_SHARE * has)
