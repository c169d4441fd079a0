"""How rows are shown."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from tests.chaos.trial import Row

_COLUMNS = ("flying", "ended", "failed", "lost", "doubled", "twice", "first", "all", "errors", "exit")


def line(row: Row) -> Text:
    """One row in a line, as soon as it is known."""
    details = "; ".join(sorted({*row.reasons, *row.errors})[:3])
    return Text.assemble(_verdict(row), f" {row.fault} ({row.seconds:.0f} s) ", (details, "dim"))


def table(rows: Sequence[Row]) -> Table:
    """All rows; `first` and `all`: seconds until one evolution, and until each of them, moved on."""
    shown = Table("fault", title="At least 20 evolutions in flight at each fault")
    for name in _COLUMNS:
        shown.add_column(name, justify="right", no_wrap=True)
    shown.add_column("")
    for row in rows:
        numbers = (row.in_flight, row.succeeded, row.failed, row.lost, row.doubled, row.decoded_twice)
        shown.add_row(
            row.fault,
            *map(str, numbers),
            *("–" if seconds is None else f"{seconds:.1f}" for seconds in (row.first_resumed_s, row.all_resumed_s)),
            str(len(row.errors)),
            ",".join(map(str, row.exit_codes.values())),
            _verdict(row),
        )
    return shown


def _verdict(row: Row) -> Text:
    return Text("PASS", "green") if row.passed else Text(f"FAIL {', '.join(row.misses)}", "red")
