"""Peak memory of a process and of what it started."""

from pathlib import Path

import psutil


def peak_mib(pid: int) -> float:
    """Sum of peak resident sets (VmHWM) of a process tree, in MiB; pages that processes share are counted in each."""
    process = psutil.Process(pid)
    return sum(_peak_kib(child.pid) for child in (process, *process.children(recursive=True))) / 1024


def _peak_kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
