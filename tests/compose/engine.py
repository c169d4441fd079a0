"""A Docker engine and the images on it: the running engine, else a private one that is started and stopped here."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[2]
CONTAINERS = ROOT / "scripts" / "containers"
WHEELS = CONTAINERS / "wheels"
SERVICES = ("gateway", "orchestrator", "mutation", "reward", "generation")
VERSION: str = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


class EngineError(Exception):
    """A command to the engine failed; the message ends with what it said."""


def run(command: Sequence[str | Path], timeout_s: float = 120, env: dict[str, str] | None = None) -> str:
    """Standard output of a command.

    Raises:
        EngineError: it failed, or took longer than `timeout_s`.
    """
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout_s, env=os.environ | (env or {}), cwd=ROOT
        )
    except subprocess.TimeoutExpired:
        raise EngineError(f"{' '.join(map(str, command))}: not done after {timeout_s:.0f} s") from None
    if ended.returncode:
        raise EngineError(f"{' '.join(map(str, command))}:\n{(ended.stdout + ended.stderr)[-3000:]}")
    return ended.stdout


def client() -> str:
    """A `docker` that can build: Debian's has BuildKit inside, others need the buildx plugin."""
    for found in ("/usr/bin/docker", shutil.which("docker") or ""):
        if found and Path(found).exists():
            return found
    return "/usr/bin/docker"


class Engine:
    """A context manager; leaving it stops the engine where it was started here. Images stay."""

    def __init__(self) -> None:
        self.docker = client()
        self._env = {"DOCKER_BUILDKIT": "1", "DOCKER": self.docker}
        self._started = False

    def __enter__(self) -> "Engine":
        if not self._answers():
            os.environ["DOCKER_HOST"] = run([CONTAINERS / "engine.sh", "env"]).strip()
        if not self._answers():
            run([CONTAINERS / "engine.sh", "up"], timeout_s=300)
            self._started = True
        return self

    def __exit__(self, *_: object) -> None:
        if self._started:
            run([CONTAINERS / "engine.sh", "down"])

    def __call__(self, *words: str, timeout_s: float = 120) -> str:
        return run([self.docker, *words], timeout_s, self._env)

    @property
    def version(self) -> str:
        return self("version", "--format", "{{.Server.Version}}").strip()

    def base_images(self) -> None:
        """Pulls what ours are built from, or builds stand-ins."""
        run([CONTAINERS / "base-images.sh"], 900, self._env)

    def build(self, service: str) -> int:
        """Builds a service's image; returns its size in bytes."""
        image = f"darwin/{service}:{VERSION}"
        arguments = {
            "VERSION": VERSION,
            "REVISION": run(["git", "rev-parse", "HEAD"]).strip(),
            "CREATED": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        } | ({"TORCH_INDEX": ""} if local_torch() else {})
        words = [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
        self("build", "-q", *words, "-f", f"services/{service}/Dockerfile", "-t", image, ".", timeout_s=1800)
        return int(self.inspect(image)["Size"])

    def inspect(self, name: str) -> dict[str, object]:
        found: dict[str, object] = json.loads(self("inspect", name))[0]
        return found

    def _answers(self) -> bool:
        try:
            self("version", timeout_s=20)
        except (EngineError, FileNotFoundError):
            return False
        return True


def local_torch() -> bool:
    """Puts torch's CPU wheel, where this machine's pip has it in a folder, to where builds look for it."""
    if not any(WHEELS.glob("torch-*.whl")):
        configured = subprocess.run(
            [sys.executable, "-m", "pip", "config", "get", "global.find-links"], capture_output=True, text=True
        ).stdout.split()
        for folder in filter(Path.is_dir, map(Path, configured)):
            for wheel in folder.glob("torch-*+cpu-cp311-*.whl"):
                shutil.copy(wheel, WHEELS)
    return any(WHEELS.glob("torch-*.whl"))
