"""Engine and rewards on one NVIDIA GPU, as two processes on one card; `make gpu-test`, at most eight minutes.

Ends 0 where there is no GPU, and says so.
"""

import sys
import time
from collections.abc import Callable
from tempfile import TemporaryDirectory

import torch

SECONDS = 480.0


def main() -> int:
    if not torch.cuda.is_available():
        print(
            "gpu-test: torch finds no GPU here, so nothing was tested (`make install VLLM=gpu` on a machine with one)"
        )
        return 0
    from tests.gpu import families, suite, together

    print(f"gpu-test: {torch.cuda.get_device_name(0)}, {torch.cuda.mem_get_info()[1] / 2**30:.0f} GiB", flush=True)
    ends_at, failed = time.monotonic() + SECONDS, 0
    with TemporaryDirectory(prefix="darwin-gpu-") as folder:
        for step in (together.run, families.run, suite.run):
            failed += _tried(step, folder, ends_at)
    print("gpu-test: passed" if not failed else f"gpu-test: {failed} failed", flush=True)
    return 1 if failed else 0


def _tried(step: Callable[[str, float], None], folder: str, ends_at: float) -> int:
    """Whether the step failed; it may take until `ends_at`."""
    name, began = step.__module__.rpartition(".")[2], time.monotonic()
    try:
        step(folder, ends_at)
    except Exception as error:
        print(f"FAILED  {name}, {time.monotonic() - began:.0f} s: {type(error).__name__}: {error}", flush=True)
        return 1
    print(f"ok      {name}, {time.monotonic() - began:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
