"""Each cycle's population over its rounds: rewards, survivors, and who took whose response."""

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from cli.history.comparisons import comparison_tables
from cli.history.lineage import population
from cli.history.recording import SavedRecording
from cli.history.trees import origin
from cli.view import outlook
from shared.records.events import CycleFinished, PopulationScored, RoundFinished

_LEGEND = (
    "✓ survives  ←n takes the response of n  ■ finished  ✕ dropped  ? reward not trusted  final: complete response"
)
_PADDING = 3


def population_tables(recording: SavedRecording, width: int) -> Iterator[RenderableType]:
    """A table per cycle, or several where its rounds do not fit beside each other, then who was preferred to whom."""
    cycles = sorted({event.cycle for event in recording.events if isinstance(event, RoundFinished)})
    for cycle in cycles:
        yield ""
        yield Rule(f"cycle {cycle}: rewards by state and round", align="left", style="cyan")
        names = [f"{state} {origin(mutant)}" for state, mutant in sorted(population(recording, cycle).items())]
        columns = list(_columns(recording, cycle))
        widest = max(cell.cell_len for _, cells in columns for cell in cells) + _PADDING
        beside = max(1, (width - max(map(len, names)) - _PADDING) // widest)
        for first in range(0, len(columns), beside):
            rows = names if first == 0 else [str(state) for state in range(len(names))]
            yield _table(rows, columns[first : first + beside])
        for event in recording.events:
            if isinstance(event, PopulationScored) and event.cycle == cycle:
                yield from comparison_tables(event, width)
            if isinstance(event, CycleFinished) and event.cycle == cycle and event.outlook:
                yield Text(outlook(**vars(event.outlook)))
    if cycles:
        yield Text(_LEGEND, style="dim")


def _columns(recording: SavedRecording, cycle: int) -> Iterator[tuple[str, list[Text]]]:
    """Titles, each with a cell for every state."""
    dropped: tuple[int, ...] = ()
    for event in recording.events:
        if isinstance(event, RoundFinished) and event.cycle == cycle:
            dropped = event.dropped
            yield f"round {event.round}", [_cell(event, state) for state in range(len(event.texts))]
        if isinstance(event, CycleFinished) and event.cycle == cycle:
            best = max(reward for state, reward in enumerate(event.rewards) if state not in dropped)
            cells = [Text(f"{it:+.3f}", style="bold" if it == best else "") for it in event.rewards]
            yield "final", [Text("–") if state in dropped else cell for state, cell in enumerate(cells)]


def _cell(event: RoundFinished, state: int) -> Text:
    reward = event.rewards[state]
    cell = Text("thinks" if reward is None else f"{reward:+.3f}")
    donor = next((item.donor for item in event.replacements if item.state == state), None)
    if state in event.survivors:
        cell.append(" ✓").stylize("green")
    if donor is not None:
        cell.append(f" ←{donor}").stylize("red")
    if event.finished[state]:
        cell.append(" ✕" if state in event.dropped else " ■")
    if event.abstained and event.abstained[state]:
        cell.append(" ?")
    if event.breaks and event.breaks[state]:
        cell.append(" !")
    return cell


def _table(names: Sequence[str], columns: Sequence[tuple[str, Sequence[Text]]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False, show_edge=False)
    table.add_column("state", no_wrap=True)
    for title, _ in columns:
        table.add_column(title, no_wrap=True)
    for state, name in enumerate(names):
        table.add_row(name, *(cells[state] for _, cells in columns))
    return table
