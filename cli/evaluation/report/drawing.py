"""How plots look: colours, markers, curves, points, and files for light and dark pages."""

import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from matplotlib.typing import RcKeyType

from cli.evaluation.report.figures import CellFigures
from cli.evaluation.report.statistics import Interval
from shared.methods import METHODS

INK = "#0b0c0d"
"""Drawn as it is in PNGs; in the page it becomes the colour of the text around."""
GREY = "#808080"
COLOURS: dict[str, str] = {name: traits.colour for name, traits in METHODS.items()}
_MARKERS = "oD^sPvX<>pd*Hh8"
STYLE: dict[RcKeyType, Any] = {
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": GREY,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "axes.titlesize": "medium",
    "axes.titlelocation": "left",
    "svg.hashsalt": "darwin",
}
_NO_METADATA: dict[str, str | None] = {"Creator": None, "Date": None, "Format": None, "Type": None}


def marked(cells: Sequence[CellFigures]) -> Iterator[tuple[CellFigures, str]]:
    """Each cell with a marker that no other cell of its method has (of up to fifteen)."""
    seen: dict[str, int] = {}
    for cell in cells:
        place = seen[cell.method] = seen.get(cell.method, -1) + 1
        yield cell, _MARKERS[place % len(_MARKERS)]


def curve(axes: Axes, points: Sequence[tuple[float, Interval]], label: str, dashes: str = "-") -> None:
    """The best-of-n curve, n = 1 first, with the band of its intervals and a dot at each power of two."""
    if not points:
        return
    x, y = [place for place, _ in points], [interval for _, interval in points]
    powers = [2**power - 1 for power in range(len(points).bit_length())]
    colour = COLOURS["best-of-n"]
    axes.plot(
        x, [each.value for each in y], dashes, color=colour, label=label, marker=".", markevery=powers, linewidth=1.6
    )
    low = [each.value if each.low is None else each.low for each in y]
    high = [each.value if each.high is None else each.high for each in y]
    axes.fill_between(x, low, high, color=colour, alpha=0.12, linewidth=0)


def point(
    axes: Axes,
    cell: CellFigures,
    marker: str,
    x: float | Interval,
    y: float | Interval,
    *,
    hollow: bool = False,
    label: str | None = None,
) -> None:
    """A cell where it measured, with bars where intervals are given; named in the legend unless `label` is empty."""
    colour = COLOURS[cell.method]
    axes.errorbar(
        _value(x),
        _value(y),
        xerr=_bar(x),
        yerr=_bar(y),
        fmt=marker,
        color=colour,
        ecolor=(colour, 0.45),
        elinewidth=1,
        markersize=7,
        markerfacecolor="none" if hollow else colour,
        label=cell.name if label is None else label,
        zorder=3,
    )


def _value(at: float | Interval) -> float:
    return at.value if isinstance(at, Interval) else at


def _bar(at: float | Interval) -> list[list[float]] | None:
    if not isinstance(at, Interval) or at.low is None or at.high is None:
        return None
    return [[max(0.0, at.value - at.low)], [max(0.0, at.high - at.value)]]


def logarithmic(axes: Axes) -> None:
    """A logarithmic x axis with plain numbers."""
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def legend(figure: Figure) -> None:
    """One legend for all panels, beside them, so that it covers no point."""
    handles = {
        label: handle
        for axes in figure.axes
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
        if label
    }
    figure.legend(list(handles.values()), list(handles), loc="outside right upper", fontsize="small")


def save_png(figure: Figure, path: Path) -> None:
    """On white, at 160 dots per inch."""
    figure.savefig(path, dpi=160, facecolor="white")


def svg(figure: Figure, name: str) -> str:
    """An `<svg>` element to stand in a page: transparent, in the page's ink, ids beginning with `name`."""
    out = io.StringIO()
    with matplotlib.rc_context(STYLE):
        figure.savefig(out, format="svg", transparent=True, metadata=_NO_METADATA)
    text = out.getvalue()
    text = text[text.index("<svg") :].replace(INK, "currentColor")
    text = re.sub(r' xmlns(:xlink)?="[^"]*"', "", text, count=2).replace("xlink:href", "href")
    text = re.sub(r'\bid="', f'id="{name}-', text)
    return re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", text)
