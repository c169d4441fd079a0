"""Who was preferred to whom, where a reward compares the responses of a population."""

from collections.abc import Iterator, Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from cli.view import plain
from services.orchestrator.core.values import BASE
from shared.records.events import Comparison, PopulationScored

_LEGEND = "preferred to the column's, in percent; empty: follows from others, or was not asked"


def comparison_tables(event: PopulationScored, width: int) -> Iterator[Table]:
    """A matrix for each component that compares; several beside the same rows where it is wider than `width`."""
    names = [_name(event, *each) for each in event.responses]
    for component in dict.fromkeys(each.component for each in event.comparisons):
        cells = _cells(len(names), [each for each in event.comparisons if each.component == component])
        where = "all that may answer" if event.final else f"round {event.round}"
        title = f"{where}: how often {plain(component)} has each row's response {_LEGEND}"
        column = max(3, *map(len, names)) + 2
        beside = max(1, (width - column) // column)
        for first in range(0, len(names), beside):
            yield _table("" if first else title, names, names[first : first + beside], cells, first)


def _name(event: PopulationScored, cycle: int, state: int) -> str:
    if state == BASE:
        return "base"
    return f"{cycle}.{state}" if event.final else str(state)


def _cells(count: int, comparisons: Sequence[Comparison]) -> list[list[Text]]:
    cells = [[Text("–" if one == other else "") for other in range(count)] for one in range(count)]
    for each in comparisons:
        cells[each.first][each.second] = _percent(each.preference)
        cells[each.second][each.first] = _percent(1 - each.preference)
    return cells


def _percent(preference: float) -> Text:
    return Text(f"{100 * preference:.0f}", style="green" if preference > 0.5 else "")


def _table(
    title: str, names: Sequence[str], columns: Sequence[str], cells: Sequence[Sequence[Text]], first: int
) -> Table:
    table = Table(
        title=title or None,
        title_justify="left",
        title_style="",
        box=box.SIMPLE_HEAD,
        padding=(0, 1),
        pad_edge=False,
        show_edge=False,
    )
    table.add_column("", no_wrap=True)
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    for name, row in zip(names, cells, strict=True):
        table.add_row(name, *row[first : first + len(columns)])
    return table
