"""What is deployed, as its own tools read it."""

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SERVICES = ("gateway", "orchestrator", "mutation", "reward", "generation")
BIN = Path(sys.executable).parent
COMPOSE_FILES = ("docker-compose.yml", "docker-compose.gpu.yml")


def compose(*words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """`docker compose` with only these variables set, and without an engine."""
    given = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")} | (env or {})
    return subprocess.run(
        [BIN / "docker-compose", *words], cwd=ROOT, env=given, capture_output=True, text=True, timeout=60
    )


@cache
def services(gpu: bool = False, profile: str = "") -> dict[str, dict[str, Any]]:
    """Every service as Compose resolves it."""
    files = [word for name in COMPOSE_FILES[: 2 if gpu else 1] for word in ("-f", name)]
    ended = compose(*files, "config", "--format", "json", env={"COMPOSE_PROFILES": profile})
    assert ended.returncode == 0, ended.stderr
    found: dict[str, dict[str, Any]] = json.loads(ended.stdout)["services"]
    return found
