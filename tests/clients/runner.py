"""Runs one program of a client against one server."""

import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.clients.environments import HERE, python_of

_LIMIT_S = 120.0
_LONGEST_REASON = 160


@dataclass(frozen=True)
class Program:
    """A program of a client; `purpose` is the first sentence of its docstring."""

    client: str
    path: Path

    @property
    def name(self) -> str:
        return f"{self.client}/{self.path.stem}"

    @property
    def purpose(self) -> str:
        return self.path.read_text().partition('"""')[2].partition('"""')[0].strip().splitlines()[0]


@dataclass(frozen=True)
class Outcome:
    """`reason` is the last line that a program wrote before it failed, None where it works."""

    seconds: float
    reason: str | None


def programs(clients: list[str]) -> list[Program]:
    """Every program of these clients, by client and name."""
    return [Program(client, path) for client in clients for path in sorted((HERE / "programs" / client).glob("*.py"))]


def run(program: Program, base_url: str, model: str) -> Outcome:
    """Runs a program as its user would: the base URL and the key are in the environment, and the model's name."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as home:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": home,
            "OPENAI_BASE_URL": base_url,
            "OPENAI_API_BASE": base_url,
            "OPENAI_API_KEY": "none",
            "MODEL": model,
        }
        try:
            done = subprocess.run(
                [python_of(program.client), "-P", program.path],
                env=environment,
                cwd=home,
                capture_output=True,
                text=True,
                timeout=_LIMIT_S,
            )
        except subprocess.TimeoutExpired:
            return Outcome(time.monotonic() - began, f"not finished after {_LIMIT_S:.0f} s")
    if done.returncode == 0:
        return Outcome(time.monotonic() - began, None)
    lines = [line for line in done.stderr.splitlines() if line.strip()] or ["(no message)"]
    return Outcome(time.monotonic() - began, lines[-1].strip()[:_LONGEST_REASON])
