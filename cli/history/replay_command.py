"""`darwin replay`: a recorded evolution once more through the core."""

import json
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.console import CommandError, reported
from cli.history import sources
from cli.history.json_diff import same_characters
from cli.history.recording import NotARecording
from cli.history.replay import Difference, Replay
from cli.history.replay import replay as replayed
from cli.view import plain

_SHOWN_CHARACTERS = 1000
_SHOWN_BEFORE = 200


def replay(
    source: sources.RecordingSource,
    url: sources.Url = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Give the core the recorded outcomes again, and show the first thing that it decides otherwise."""
    console = Console()
    with reported(Console(stderr=True)):
        recording = sources.opened(source, url)
        try:
            found = replayed(recording)
        except NotARecording as error:
            raise CommandError(str(error)) from error
    if as_json:
        same = found.difference is None
        print(json.dumps({"id": recording.id, "same": same, **asdict(found)}, ensure_ascii=False, indent=2))
    else:
        _show(found, recording.id, console)
    raise typer.Exit(0 if found.difference is None else 1)


def _show(found: Replay, evolution_id: str, console: Console) -> None:
    if found.difference is None:
        so_far = " so far: the evolution has not ended" if found.unfinished else ""
        console.print(f"the same, {found.decisions} decisions{so_far}", highlight=False)
        return
    after = f"{evolution_id} differs after {found.decisions} decisions that were the same"
    console.print(after, style="bold red", highlight=False)
    console.print(_table(found.difference))


def _table(difference: Difference) -> Table:
    attempt = "after the last attempt" if difference.attempt is None else f"attempt {difference.attempt}"
    title = Text(f"{attempt}, cycle {difference.cycle}, round {difference.round}: {difference.field}")
    table = Table(title=title, title_justify="left", expand=True)
    recorded, replayed = _text(difference.recorded), _text(difference.replayed)
    first = max(0, same_characters(recorded, replayed) - _SHOWN_BEFORE)
    for side in ("recorded", "replayed"):
        table.add_column(side, ratio=1, overflow="fold")
    table.add_row(_part(recorded, first), _part(replayed, first))
    return table


def _text(value: Any) -> str:
    return plain(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2))


def _part(text: str, first: int) -> Text:
    """What a terminal has room for, the difference in it."""
    end = first + _SHOWN_CHARACTERS
    return Text(("…" if first else "") + text[first:end] + ("…" if end < len(text) else ""))
