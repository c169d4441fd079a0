"""The engines' contract on the GPU, over vLLM and transformers."""

import os
import subprocess
import sys
import time

_TESTS = "tests/contract/test_engines.py"


def run(folder: str, ends_at: float) -> None:
    """Raises AssertionError where a test fails, TimeoutExpired where they do not end in time."""
    env = os.environ | {"DARWIN_GENERATION_GPU_MEMORY_UTILIZATION": "0.5"}
    command = [sys.executable, "-m", "pytest", "-q", "--tb=short", _TESTS, "-k", "vllm or transformers"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=max(1, ends_at - time.monotonic()))
    print("\n".join(f"        {line}" for line in done.stdout.splitlines()[-30:]), flush=True)
    assert done.returncode == 0, f"pytest ended with exit code {done.returncode}"
