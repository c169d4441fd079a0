"""When an evolution did what: calls as a waterfall for each attempt, and the attempts that came to nothing."""

from collections.abc import Mapping

from rich import box
from rich.bar import Bar
from rich.table import Table
from rich.text import Text

from cli.history.recording import SavedRecording
from cli.view import plain
from services.orchestrator.core.values import BASE
from shared.records.attempts import LOST, Attempt, Call, whole_calls

_COLORS = {"mutation": "magenta", "generation": "blue", "reward": "green"}


def waterfall(recording: SavedRecording) -> Table:
    """Every call in the attempt in which it began: a bar from the attempt's beginning to the end of its last call, and
    when that was.
    """
    table = Table(box=box.SIMPLE_HEAD, expand=True, pad_edge=False, show_edge=False)
    for column in ("round", "call", "for"):
        table.add_column(column, no_wrap=True)
    table.add_column("within the attempt", ratio=1)
    for column in ("at s", "took s", "tokens"):
        table.add_column(column, justify="right", no_wrap=True)
    for attempt, calls in zip(recording.attempts, whole_calls(recording.attempts), strict=True):
        ended_at = max([attempt.ended_at, *(call.ended_at for call in calls)])
        for index, call in enumerate(sorted(calls, key=lambda call: call.started_at)):
            where = f"{attempt.cycle}.{attempt.round}" if index == 0 else ""
            table.add_row(where, *_row(call, attempt.started_at, ended_at, recording.created_at))
    return table


def _row(call: Call, began_at: float, ended_at: float, epoch: float) -> tuple[str | Text | Bar, ...]:
    name = Text(call.stage + (" final" if call.final else "") + (" goes on" if call.goes_on else ""))
    if call.error:
        name.append(f" {call.error}", style="red")
    bar = Bar(
        max(ended_at - began_at, 1e-9), call.started_at - began_at, call.ended_at - began_at, color=_COLORS[call.stage]
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
    whole = {call.span_id: call for calls in whole_calls(recording.attempts) for call in calls}
    for before, attempt in zip((None, *recording.attempts), recording.attempts, strict=False):
        where = f"{attempt.cycle}.{attempt.round}"
        for lost in attempt.lost:
            became = f"lost: its worker ended{_lost_with(before, whole)}"
            table.add_row(where, f"{lost.started_at - recording.created_at:.2f}", "?", became)
        if attempt.error:
            ended = Text(plain(f"failed: {attempt.error.code}: {attempt.error.message}"), style="red")
        elif attempt.id in unfinished:
            ended = Text("paused: its worker was stopping")
        else:
            continue
        began, took = attempt.started_at - recording.created_at, attempt.ended_at - attempt.started_at
        table.add_row(where, f"{began:.2f}", f"{took:.2f}", ended)
    return table if table.row_count else None


def _lost_with(before: Attempt | None, whole: Mapping[str, Call]) -> str:
    """How many calls were under way when the attempt before was saved and have ended with the worker, and what of them
    is kept, and charged.
    """
    under_way = [whole[call.span_id] for call in before.calls if call.goes_on] if before else []
    lost = [call for call in under_way if call.error == LOST]
    if not lost:
        return ""
    return f", with calls under way: {len(lost)}; {sum(call.tokens for call in lost)} tokens of theirs are kept"
