"""Tables before they are shown, and how figures are written in them."""

from dataclasses import dataclass
from typing import Literal

from rich import box
from rich.table import Table
from rich.text import Text

from cli.evaluation.report.statistics import Interval

Tone = Literal["", "better", "worse"]
_STYLES: dict[Tone, str] = {"": "", "better": "green", "worse": "red"}
_NONE = "–"
_WIDE = 140
"""Columns that the widest table needs, with names of thirty characters."""


@dataclass(frozen=True)
class Entry:
    """One cell of a table; `tone` says that a difference's interval lies on one side of zero."""

    text: str
    tone: Tone = ""


@dataclass(frozen=True)
class Sheet:
    """A table: the first column holds names, the others figures."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Entry, ...], ...]


def rich_table(sheet: Sheet, width: int) -> Table:
    """The table for a terminal of this many columns; figures are wrapped in a narrow one, never cut."""
    table = Table(
        title=sheet.title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, padding=(0, 0, 0, 1)
    )
    for index, column in enumerate(sheet.columns):
        table.add_column(
            column, justify="right" if index else "left", overflow="fold", no_wrap=index > 0 and width >= _WIDE
        )
    for row in sheet.rows:
        table.add_row(*(Text(entry.text, style=_STYLES[entry.tone]) for entry in row))
    return table


def row(*texts: str) -> tuple[Entry, ...]:
    """Entries without a tone."""
    return tuple(Entry(text) for text in texts)


def difference(interval: Interval | None, *, bare: bool = False) -> Entry:
    """A difference, toned by its sign where its interval excludes zero; `bare` gives a * instead of the interval."""
    if interval is None:
        return Entry(_NONE)
    text = f"{interval.value:+.3f}{'*' if interval.excludes_zero else ' '}" if bare else estimate(interval)
    if not interval.excludes_zero:
        return Entry(text)
    return Entry(text, "better" if interval.value > 0 else "worse")


def estimate(interval: Interval | None, form: str = "+.3f") -> str:
    """`+0.123 [-0.045, +0.291]`."""
    if interval is None:
        return _NONE
    value = format(interval.value, form)
    if interval.low is None or interval.high is None:
        return value
    return f"{value} [{interval.low:{form}}, {interval.high:{form}}]"


def percent(interval: Interval | None) -> str:
    """`52% [48%, 56%]`."""
    return estimate(interval, ".0%")


def signed(value: float | None) -> str:
    """`+0.12`."""
    return _NONE if value is None else f"{value:+.2f}"
