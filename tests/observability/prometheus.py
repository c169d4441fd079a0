"""A real Prometheus that scrapes a stack, each second, by the configuration and rules of the repository."""

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from cli.stack import Stack
from cli.stack.child import Child
from cli.stack.ports import free_port
from tests.observability.files import PROMETHEUS
from tests.programs import program


class Prometheus:
    """Its HTTP API."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=10)

    def query(self, expression: str) -> list[float]:
        """Values now, without those that are no number; an error fails the test."""
        result = self._get("/api/v1/query", query=expression)["result"]
        values = [float(sample["value"][1]) for sample in result]
        return [value for value in values if value == value]

    def label_values(self, selector: str, label: str) -> list[str]:
        values: list[str] = self._get(f"/api/v1/label/{label}/values", **{"match[]": selector})
        return values

    def ready(self) -> bool:
        try:
            return self._http.get("/-/ready").is_success
        except httpx.TransportError:
            return False

    def _get(self, path: str, **parameters: str) -> Any:
        response = self._http.get(path, params=parameters)
        assert response.is_success, f"{parameters}: {response.text}"
        return response.json()["data"]


@contextmanager
def scraping(
    stack: Stack, folder: Path, scrape_configs: Sequence[dict[str, Any]] | None = None
) -> Iterator[Prometheus]:
    """Runs in `folder`, as observability/prometheus has it scrape unless told otherwise; skips the test where
    Prometheus is not installed.
    """
    binary, port = program("prometheus"), free_port()
    configuration = yaml.safe_load((PROMETHEUS / "prometheus.yaml").read_text())
    configuration["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    if scrape_configs is not None:
        configuration["scrape_configs"] = list(scrape_configs)
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(configuration))
    shutil.copy(PROMETHEUS / "rules.yaml", folder)
    shutil.copy(stack.write_targets(), folder)
    command = [
        str(binary),
        f"--config.file={folder / 'prometheus.yaml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    child = Child("prometheus", command, folder, {})
    try:
        prometheus = Prometheus(f"http://127.0.0.1:{port}")
        until(prometheus.ready)
        yield prometheus
    finally:
        child.terminate()
        child.wait(20)


def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.2)
