"""When an evolution did what: calls as a waterfall for each attempt, and the attempts that came to nothing."""

from rich import box
from rich.bar import Bar
from rich.table import Table
from rich.text import Text

from cli.history.recording import SavedRecording
from cli.view import plain
from services.orchestrator.core.values import BASE
from shared.records.attempts import Attempt, Call

_COLORS = {"mutation": "magenta", "generation": "blue", "reward": "green"}


def waterfall(recording: SavedRecording) -> Table:
    """Every call in its attempt: a bar from the attempt's beginning to its end, and when that was."""
    table = Table(box=box.SIMPLE_HEAD, expand=True, pad_edge=False, show_edge=False)
    for column in ("round", "call", "for"):
        table.add_column(column, no_wrap=True)
    table.add_column("within the attempt", ratio=1)
    for column in ("at s", "took s", "tokens"):
        table.add_column(column, justify="right", no_wrap=True)
    for attempt in recording.attempts:
        for index, call in enumerate(sorted(attempt.calls, key=lambda call: call.started_at)):
            where = f"{attempt.cycle}.{attempt.round}" if index == 0 else ""
            table.add_row(where, *_row(call, attempt, recording.created_at))
    return table


def _row(call: Call, attempt: Attempt, epoch: float) -> tuple[str | Text | Bar, ...]:
    name = Text(call.stage + (" final" if call.final else ""))
    if call.error:
        name.append(f" {call.error}", style="red")
    bar = Bar(
        max(attempt.ended_at - attempt.started_at, 1e-9),
        call.started_at - attempt.started_at,
        call.ended_at - attempt.started_at,
        color=_COLORS[call.stage],
    )
    took = f"{call.ended_at - call.started_at:.2f}"
    return name, _states(call), bar, f"{call.started_at - epoch:.2f}", took, str(call.tokens)


def _states(call: Call) -> str:
    """Whom it was for: a state by its index, or how many there were."""
    states = sorted({part.state for part in call.parts})
    if len(states) != 1:
        return f"{len(states)} states" if states else ""
    return "base" if states[0] == BASE else f"state {states[0]}"


def mishaps(recording: SavedRecording) -> Table | None:
    """Attempts that did not end with their round, in their order; None where all did."""
    table = Table("round", box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in ("at s", "took s"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("what became of it", overflow="fold")
    unfinished = {attempt.after for attempt in recording.attempts}
    for attempt in recording.attempts:
        where = f"{attempt.cycle}.{attempt.round}"
        for lost in attempt.lost:
            table.add_row(where, f"{lost.started_at - recording.created_at:.2f}", "?", "lost: its worker ended")
        if attempt.error:
            became = Text(plain(f"failed: {attempt.error.code}: {attempt.error.message}"), style="red")
        elif attempt.id in unfinished:
            became = Text("paused: its worker was stopping")
        else:
            continue
        began, took = attempt.started_at - recording.created_at, attempt.ended_at - attempt.started_at
        table.add_row(where, f"{began:.2f}", f"{took:.2f}", became)
    return table if table.row_count else None
