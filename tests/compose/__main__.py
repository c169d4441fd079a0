"""The images and docker-compose.yml on a real engine: `make compose-test`, or `python -m tests.compose`."""

import time
from collections.abc import Callable

import typer
from rich.console import Console
from rich.table import Table

from tests.compose.engine import SERVICES, VERSION, Engine
from tests.compose.inside import inside
from tests.compose.steps import Steps, must
from tests.compose.system import System

LIMIT_MB = {"gateway": 250, "orchestrator": 250, "mutation": 250}


class Report:
    """Shows each step as it is taken; nothing is tried after one that failed."""

    def __init__(self) -> None:
        self.console = Console()
        self.table = Table("step", "seconds", "seen", "", title="docker-compose.yml on a real engine")
        self.failed = False

    def take(self, name: str, step: Callable[[], str]) -> None:
        if self.failed:
            self.table.add_row(name, "", "", "not tried")
            return
        began = time.monotonic()
        with self.console.status(name):
            try:
                seen, verdict = step(), "[green]PASS[/]"
            except Exception as error:
                seen, verdict, self.failed = f"{type(error).__name__}: {error}", "[red]FAIL[/]", True
        seconds = f"{time.monotonic() - began:.0f}"
        self.console.print(f"{verdict} {name} ({seconds} s) [dim]{seen}[/]", highlight=False, soft_wrap=True)
        self.table.add_row(name, seconds, seen[:300], verdict)


def main() -> None:
    """Builds, starts, uses, scales, breaks and stops the system; exit code 1 where something was not as it must be."""
    report = Report()
    with Engine() as engine:
        report.console.print(f"engine {engine.version}, client {engine.docker}", highlight=False)
        report.take("base images", lambda: _base_images(engine))
        for service in SERVICES:
            report.take(f"build {service}", lambda service=service: _build(engine, service))
        with System(engine) as system:
            for name, step in Steps(system):
                report.take(name, step)
            if report.failed:
                report.console.print(system.logs()[-6000:], markup=False, highlight=False)
    report.console.print(report.table)
    if report.failed:
        raise typer.Exit(1)


def _base_images(engine: Engine) -> str:
    engine.base_images()
    return "python:3.11-slim, redis:7"


def _build(engine: Engine, service: str) -> str:
    size_mb = engine.build(service) / 1e6
    limit = LIMIT_MB.get(service)
    must(limit is None or size_mb < limit, f"{size_mb:.0f} MB, not under {limit}")
    found = inside(engine, service)
    must(found.user == 10001, f"it runs as user {found.user}")
    must(not found.unwanted + found.setuid, f"it holds {found.unwanted + found.setuid}")
    must(limit is None or not found.torch, "it holds torch")
    must(found.packages > 20 and found.ours == VERSION, "what it holds cannot be listed")
    return (
        f"{size_mb:.0f} MB" + (f" (under {limit}, no torch)" if limit else "") + f", {found.packages} Python packages"
    )


if __name__ == "__main__":
    typer.run(main)
