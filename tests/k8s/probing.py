"""The orchestrator's probe as the cluster runs it: by a shell, on a ready file."""

import os
import subprocess
from pathlib import Path

from tests.k8s.checks.pods import PROBES
from tests.k8s.rendering import overlay


def commands(name: str) -> list[list[str]]:
    """Of each of its probes in an overlay."""
    main = overlay(name).workload("orchestrator").main
    return [main[kind]["exec"]["command"] for kind in PROBES]


def exit_code(ready_file: Path) -> int:
    """0 where the process of a ready file is well, else 1."""
    env = {"PATH": os.environ["PATH"], "DARWIN_READY_FILE": str(ready_file)}
    return subprocess.run(commands("cpu")[-1], env=env, capture_output=True, timeout=30).returncode
