"""Every figure of the report, computed from the rows; tables, plots and page only show them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cli.evaluation.questions import QuestionPart
from cli.evaluation.report.cells import MeasuredCell, busy_seconds, cell
from cli.evaluation.report.comparisons import COMPUTES, Comparison, compare_all
from cli.evaluation.report.curves import Curve, curve
from cli.evaluation.report.gains import Gain, PlainSamples, samples
from cli.evaluation.report.hedging import HedgeFigures, PressureOfCell, hedge_figures, pressures
from cli.evaluation.report.lengths import SCORERS, LengthFigures, length_figures
from cli.evaluation.report.pressure import Slope, slopes
from cli.evaluation.report.reading import selected
from cli.evaluation.report.statistics import Bootstrap, Interval
from cli.evaluation.rows import Row
from shared.methods import METHODS

# From what costs least to what this is about.
_ORDER = sorted(METHODS, key=lambda name: (METHODS[name].searches, METHODS[name].replaces, METHODS[name].mutates))


@dataclass(frozen=True)
class CellFigures:
    """One cell; `n` is given for points of the best-of-n curve, which are derived and not measured.

    Tokens (sampled, mutation included), seconds (on a full engine) and answer lengths are means per question, `judged`
    the questions whose answers the judge scored. `oracle` is what the judge's own pick of the final responses would
    have scored, `regret` that less `judge`. `win_*` are shares of questions won against the base.
    """

    name: str
    method: str
    n: int | None
    questions: int
    judged: int
    tokens: float
    seconds: float
    answer_tokens: float
    answer_characters: float
    guide: Interval | None
    judge: Interval | None
    oracle: Interval | None
    regret: Interval | None
    win_guide: Interval | None
    win_judge: Interval | None
    gain: Gain | None


@dataclass(frozen=True)
class Figures:
    """What the report shows by one judge, whose name is `judge` where rows tell it.

    `curve` is best-of-n for every n, empty without such a cell, whose name is `source`.
    """

    name: str
    judge: str | None
    selection: QuestionPart
    baseline: str
    source: str | None
    questions: tuple[str, ...]
    turns: int
    bootstrap: Bootstrap
    cells: tuple[CellFigures, ...]
    curve: tuple[CellFigures, ...]
    comparisons: tuple[Comparison, ...]
    lengths: tuple[LengthFigures, ...]
    slopes: tuple[Slope, ...]
    hedged: tuple[HedgeFigures, ...]
    pressures: tuple[PressureOfCell, ...]
    controls: dict[str, Any]
    versions: dict[str, tuple[str, ...]]

    @property
    def judged(self) -> bool:
        """Whether any answer was scored by the judge."""
        return any(each.judge for each in self.cells)


def figures(
    name: str,
    every_row: Sequence[Row],
    controls: Mapping[str, Any],
    *,
    baseline: str,
    bootstrap: Bootstrap,
    selection: QuestionPart,
    judge: str | None = None,
) -> Figures:
    """The figures over the selected questions; raises InvalidRequest where none is selected.

    Seconds are taken from all rows: the engine was full with them, whichever questions the report shows.
    """
    rows = selected(list(every_row), selection)
    seconds = {cell_name: busy_seconds(own) / len(own) for cell_name, own in by_cell(every_row).items()}
    grouped = by_cell(rows)
    cells = [cell(own, seconds[cell_name]) for cell_name, own in grouped.items()]
    best_of_n = curve(grouped, baseline, seconds)
    source = best_of_n.source if best_of_n else None
    plain = samples(rows, source)
    hedged = hedge_figures(best_of_n, bootstrap)
    return Figures(
        name=name,
        judge=judge,
        selection=selection,
        baseline=baseline,
        source=source,
        questions=tuple(dict.fromkeys(row.question for row in rows)),
        turns=max(len(row.turns) for row in rows),
        bootstrap=bootstrap,
        cells=tuple(_cell_figures(each, None, plain, bootstrap) for each in cells),
        curve=_curve_figures(best_of_n, plain, bootstrap),
        comparisons=_comparisons(rows, cells, best_of_n, bootstrap),
        lengths=tuple(length_figures(rows, scorer, bootstrap) for scorer in SCORERS),
        slopes=slopes(cells, best_of_n, bootstrap),
        hedged=hedged,
        pressures=pressures(cells, best_of_n, hedged, bootstrap),
        controls=dict(controls),
        versions=_versions(rows),
    )


def by_cell(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The rows of each cell, cells in the order of `_ORDER` and of the numbers in their names."""
    grouped: dict[str, list[Row]] = {}
    for row in rows:
        grouped.setdefault(row.cell, []).append(row)
    return dict(sorted(grouped.items(), key=lambda item: (_ORDER.index(item[1][0].method), _natural(item[0]))))


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", name)]


def _cell_figures(each: MeasuredCell, n: int | None, plain: PlainSamples | None, bootstrap: Bootstrap) -> CellFigures:
    values = each.values
    return CellFigures(
        name=each.name,
        method=each.method,
        n=n,
        questions=len(each.questions),
        judged=int((~np.isnan(values["judge"])).sum()),
        tokens=float(values["tokens"].mean()),
        seconds=each.seconds,
        answer_tokens=float(values["answer_tokens"].mean()),
        answer_characters=float(values["answer_characters"].mean()),
        guide=bootstrap.mean(values["guide"]),
        judge=bootstrap.mean(values["judge"]),
        oracle=bootstrap.mean(values["oracle"]),
        regret=bootstrap.mean(values["oracle"] - values["judge"]),
        win_guide=bootstrap.mean(values["win_guide"]),
        win_judge=bootstrap.mean(values["win_judge"]),
        gain=plain.gain(each, bootstrap) if plain else None,
    )


def _curve_figures(
    best_of_n: Curve | None, plain: PlainSamples | None, bootstrap: Bootstrap
) -> tuple[CellFigures, ...]:
    if best_of_n is None:
        return ()
    return tuple(_cell_figures(best_of_n.at(n), n, plain, bootstrap) for n in range(1, best_of_n.largest + 1))


def _comparisons(
    rows: Sequence[Row], cells: Sequence[MeasuredCell], best_of_n: Curve | None, bootstrap: Bootstrap
) -> tuple[Comparison, ...]:
    if best_of_n is None:
        return ()
    categories = {row.question: row.category for row in rows}
    others = [each for each in cells if each.name != best_of_n.source]
    return tuple(
        comparison
        for compute in COMPUTES
        for comparison in compare_all(others, best_of_n, compute, categories, bootstrap)
    )


def _versions(rows: Sequence[Row]) -> dict[str, tuple[str, ...]]:
    names = dict.fromkeys(name for row in rows for name in row.versions)
    return {name: tuple(sorted({row.versions.get(name, "?") for row in rows})) for name in names}
