"""Holds processes to a share of a core each: `python -m bench.scale.holding 0.06 4711 4712`.

A process is stopped while it has run for more, as Linux counts it. What holds is a process of its own, which waits for
no interpreter's lock, and where it may, a real-time one: on a busy machine it would come too late otherwise.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

# In a turn a process runs, or stands still: long enough that caches, which are cold when it goes on, cost little of it.
_TURN_S, _DEBT_S = 0.005, 1.0


def ran_s(pid: int) -> float:
    """Seconds of CPU that a process's threads have used, to the microsecond."""
    return sum(int(path.read_text().split()[0]) for path in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


@contextmanager
def held(pids: Sequence[int], share: float) -> Iterator[None]:
    """While inside, each has this share of a core. 0: as much as it can get."""
    if not share:
        yield
        return
    command = (sys.executable, "-m", "bench.scale.holding", str(share), *map(str, pids))
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holding:
        try:
            assert holding.stdout is not None
            holding.stdout.readline()  # it begins
            yield
            if holding.poll() is not None:
                raise RuntimeError(f"what holds {pids} has ended with exit code {holding.returncode}")
        finally:
            holding.kill()
            holding.wait()
            for pid in pids:
                os.kill(pid, signal.SIGCONT)


def hold(pids: Sequence[int], share: float) -> None:
    """Never returns; writes a line when it begins."""
    allowed = {pid: ran_s(pid) for pid in pids}
    at = time.monotonic()
    print("holding", flush=True)
    while True:
        time.sleep(_TURN_S)
        now = time.monotonic()
        for pid in pids:
            ran = ran_s(pid)
            # What it did not use it cannot save up.
            allowed[pid] = max(allowed[pid] + share * (now - at), ran - share * _DEBT_S)
            allowed[pid] = min(allowed[pid], ran + 2 * share * _TURN_S)
            os.kill(pid, signal.SIGCONT if ran < allowed[pid] else signal.SIGSTOP)
        at = now


if __name__ == "__main__":
    with suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    hold([int(pid) for pid in sys.argv[2:]], float(sys.argv[1]))
