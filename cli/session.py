"""A stack while a command needs it."""

import contextlib
import time
from collections.abc import Iterator
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live

from cli import view
from cli.stack import Stack, StackSettings
from services.generation.engines import AUTO, AUTO_SUMMARY, ENGINES, EngineName

_SUMMARIES = {AUTO: AUTO_SUMMARY} | {name: entry.summary for name, entry in ENGINES.items()}

EngineOption = Annotated[EngineName, typer.Option(help=f"{'; '.join(f'{k}: {v}' for k, v in _SUMMARIES.items())}.")]
"""The option by which a command chooses the engine of the stack that it starts."""


@contextlib.contextmanager
def started(settings: StackSettings, console: Console) -> Iterator[Stack]:
    """A running stack; while it starts and stops, its processes are shown."""
    states: dict[str, str] = {}
    live = Live(console=console, refresh_per_second=8, transient=True)

    def report(process: str, doing: str) -> None:
        states[process] = doing
        live.update(view.processes(states))

    since = time.monotonic()
    stack = Stack(settings, report)
    with live:
        stack.__enter__()
    console.print(f"{len(states)} processes ready after {time.monotonic() - since:.1f} s: {', '.join(states)}")
    try:
        yield stack
    finally:
        codes = stack.stop()
        bad = {name: code for name, code in codes.items() if code != 0}
        console.print(f"[red]exit codes: {bad}[/]" if bad else f"stopped {len(codes)} processes cleanly")
