"""`darwin export`: what search found, as preference pairs to train on."""

import contextlib
import json
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from statistics import fmean
from typing import Annotated, get_args

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from cli.client import Client
from cli.console import CommandError, reported
from cli.recording_files import NotRecorded, read, recorded
from shared.records.evolution import TERMINAL
from shared.records.history import RecordedEvolution
from shared.records.preferences import PairSelection, PreferencePair, Skipped, step_pairs, whole_pairs

_PROGRESS_AFTER_S = 2.0


class Kinds(StrEnum):
    """Which files are written."""

    whole = "whole"
    steps = "steps"
    all = "all"


_MAKERS: dict[Kinds, Callable[[RecordedEvolution], Iterator[PreferencePair]]] = {
    Kinds.whole: whole_pairs,
    Kinds.steps: step_pairs,
}


def export(
    out: Annotated[
        Path, typer.Option(help="JSON lines. With --kind all, x.jsonl becomes x.whole.jsonl, x.steps.jsonl.")
    ],
    ids: Annotated[list[str] | None, typer.Argument(metavar="[EVOLUTION]...", help="Ids; they need --url.")] = None,
    url: Annotated[str | None, typer.Option(help="A running gateway.")] = None,
    files: Annotated[
        list[Path] | None,
        typer.Option("--from", exists=True, dir_okay=False, help="Output of `align --json`, or such a line by line."),
    ] = None,
    kind: Annotated[Kinds, typer.Option(help="Whole responses, prefixes kept and replaced, or both.")] = Kinds.all,
    min_margin: Annotated[float, typer.Option(min=0, help="Least difference of the rewards.")] = 0.0,
    force: Annotated[bool, typer.Option("--force", help="Overwrite.")] = False,
) -> None:
    """Turn recorded evolutions into preference pairs in TRL's format; prints the files that it wrote."""
    if bool(ids) != bool(url) or not (ids or files):
        raise typer.BadParameter("name evolutions and the --url of their gateway, or files by --from, or both")
    console = Console(stderr=True)
    with reported(console):
        paths = _paths(out, kind, force)
        selections = {chosen: PairSelection(min_margin) for chosen in paths}
        with _progress(console, total=None if files else len(ids or [])) as advance:
            statuses = _select(_evolutions(ids or [], url, files or [], console), selections, advance)
        _tell(console, selections, statuses)
        _write_all(paths, selections)


def _paths(out: Path, kind: Kinds, force: bool) -> dict[Kinds, Path]:
    paths = {kind: out}
    if kind is Kinds.all:
        paths = {part: out.with_name(f"{out.stem}.{part}{out.suffix}") for part in _MAKERS}
    for path in paths.values():
        if path.exists() and not force:
            raise CommandError(f"{path} exists; --force overwrites it")
        if not path.parent.is_dir():
            raise CommandError(f"there is no folder {path.parent}")
    return paths


def _evolutions(
    ids: Sequence[str], url: str | None, files: Sequence[Path], console: Console
) -> Iterator[RecordedEvolution]:
    try:
        for path in files:
            yield from read(path)
        if url is not None:
            with Client(url, patience_s=15) as client:
                yield from _fetched(client, ids, console)
    except (NotRecorded, OSError) as error:
        raise CommandError(str(error)) from error


def _fetched(client: Client, ids: Sequence[str], console: Console) -> Iterator[RecordedEvolution]:
    for evolution_id in ids:
        evolution = client.get(evolution_id)
        if evolution["status"] in TERMINAL:
            yield recorded({**evolution, "events": list(client.events(evolution_id))}, evolution_id)
        else:
            console.print(f"{evolution_id} is {evolution['status']}, and left out", highlight=False)


def _select(
    evolutions: Iterable[RecordedEvolution], selections: dict[Kinds, PairSelection], advance: Callable[[], None]
) -> Counter[str]:
    """Offers every pair to its selection; how many evolutions had which status."""
    statuses: Counter[str] = Counter()
    for evolution in evolutions:
        statuses[evolution.status] += 1
        for kind, selection in selections.items():
            for pair in _MAKERS[kind](evolution):
                selection.offer(pair)
        advance()
    return statuses


@contextlib.contextmanager
def _progress(console: Console, total: int | None) -> Iterator[Callable[[], None]]:
    """A bar that appears once the work takes longer than two seconds; call what it yields after each evolution."""
    progress = Progress(console=console, transient=True, disable=not console.is_terminal)
    task = progress.add_task("evolutions", total=total)
    timer = threading.Timer(_PROGRESS_AFTER_S, progress.start)
    timer.start()
    try:
        yield lambda: progress.advance(task)
    finally:
        timer.cancel()
        timer.join()
        if progress.live.is_started:
            progress.stop()


def _tell(console: Console, selections: dict[Kinds, PairSelection], statuses: Counter[str]) -> None:
    reasons = get_args(Skipped)
    table = Table(caption=f"left out: {', '.join(reasons)}", caption_justify="left")
    table.add_column("pairs", no_wrap=True)
    for column in ("written", "mean margin", *reasons):
        table.add_column(column, justify="right")
    for selection in selections.values():
        skipped = selection.skipped
        for kind in dict.fromkeys([*(pair.kind for pair in selection.kept), *(kind for kind, _ in skipped)]):
            margins = [pair.margin for pair in selection.kept if pair.kind == kind]
            mean = f"{fmean(margins):.3f}" if margins else "–"
            table.add_row(kind, str(len(margins)), mean, *(str(skipped[kind, reason]) for reason in reasons))
    console.print(table)
    counted = ", ".join(f"{count} {status}" for status, count in statuses.most_common())
    console.print(f"{statuses.total()} evolutions: {counted or 'none'}", highlight=False)
    if statuses.total() > statuses["succeeded"]:
        console.print("of those that did not succeed, complete responses and rounds were used")


def _write_all(paths: dict[Kinds, Path], selections: dict[Kinds, PairSelection]) -> None:
    """One file for each kind that has pairs: `datasets` reads no empty one."""
    if not any(selection.kept for selection in selections.values()):
        raise CommandError("there is no pair to write")
    for kind, path in paths.items():
        if selections[kind].kept:
            _write(path, selections[kind].kept)
            print(path)
        else:
            path.unlink(missing_ok=True)


def _write(path: Path, pairs: Sequence[PreferencePair]) -> None:
    """All or nothing: nobody reads half a file."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with partial.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(pair.row(), ensure_ascii=False) + "\n" for pair in pairs)
        partial.replace(path)
    except OSError as error:
        raise CommandError(str(error)) from error
    finally:
        partial.unlink(missing_ok=True)
