"""What commands share: a stack while it is needed, failures as one message."""

import contextlib
import signal
import time
from collections.abc import Iterator
from typing import Annotated

import httpx
import typer
from rich.console import Console
from rich.live import Live

from cli import view
from cli.client import ApiError
from cli.stack import Stack, StackError, StackSettings

Engine = Annotated[str, typer.Option(help="auto, vllm, transformers or simulated.")]


@contextlib.contextmanager
def reported(console: Console, *expected: type[Exception]) -> Iterator[None]:
    """Turns expected failures into one message and exit code 1, and SIGTERM into an orderly end.

    Expected are those of the stack and the client, and `expected`.
    """

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    failures: tuple[type[Exception], ...] = (StackError, ApiError, httpx.TransportError, *expected)
    try:
        yield
    except failures as error:
        console.print(f"[red]error:[/] {error}", highlight=False, markup=True)
        raise typer.Exit(1) from error


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
