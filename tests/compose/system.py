"""The system of docker-compose.yml on an engine, under a name of its own: one that runs already is left alone."""

import sys
from pathlib import Path
from typing import Any

import httpx
from openai import OpenAI

from cli.stack.ports import free_port
from tests.compose.engine import VERSION, Engine, run

PROJECT = "darwin-compose-test"
COMPOSE = Path(sys.executable).parent / "docker-compose"


class System:
    """A context manager; leaving it removes every container, network and volume of the project."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> "System":
        self._remove()
        return self

    def __exit__(self, *_: object) -> None:
        self._remove()

    def compose(self, *words: str, timeout_s: float = 120) -> str:
        settings = {"DARWIN_PORT": str(self._port), "DARWIN_VERSION": VERSION, "COMPOSE_PROFILES": ""}
        return run([COMPOSE, "-p", PROJECT, "--progress", "plain", *words], timeout_s, settings)

    def up(self, *words: str) -> None:
        """Returns once everything is healthy."""
        self.compose("up", "-d", "--wait", "--no-build", *words, timeout_s=900)

    def containers(self, service: str = "") -> list[str]:
        """Ids of all containers, or of a service's; one-shot ones too."""
        return self.compose("ps", "-aq", *([service] if service else [])).split()

    def details(self, container: str) -> dict[str, Any]:
        return self._engine.inspect(container)

    def logs(self) -> str:
        return self.compose("logs", "--no-color", "--no-log-prefix")

    def metrics(self, container: str) -> str:
        """What Prometheus would read of it."""
        read = "import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:9464/metrics').read().decode())"
        return self._engine("exec", container, "python", "-c", read)

    def kill(self, container: str) -> None:
        self._engine("kill", container)

    def start(self, container: str) -> None:
        self._engine("start", container)

    def key(self, tenant: str) -> str:
        """A new API key."""
        return self.compose("exec", "-T", "gateway", "python", "-m", "cli.keys", "add", tenant).strip()

    def client(self, key: str) -> OpenAI:
        return OpenAI(base_url=f"{self.url}/v1", api_key=key, timeout=300, max_retries=0)

    def http(self, key: str = "") -> httpx.Client:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60)

    def _remove(self) -> None:
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "45", timeout_s=300)
