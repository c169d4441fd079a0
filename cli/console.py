"""How commands show progress, and report failures that are expected."""

import contextlib
import signal
from collections.abc import Iterator

import httpx
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from cli.client import ApiError
from cli.stack import StackError
from shared.errors import DarwinError


class CommandError(Exception):
    """The command cannot do what was asked; the message says why."""


def progress(console: Console) -> Progress:
    """Bars with counts, seconds so far and seconds left."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(elapsed_when_finished=False),
        console=console,
    )


@contextlib.contextmanager
def reported(console: Console) -> Iterator[None]:
    """Turns expected failures into one message and exit code 1, and SIGTERM into an orderly end."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    except (CommandError, DarwinError, StackError, ApiError, httpx.TransportError) as error:
        console.print(f"[red]error:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error
