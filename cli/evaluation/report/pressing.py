"""The tables about pressure: how judge and guide part as it rises, and where the judge peaks."""

from cli.evaluation.report.figures import Figures
from cli.evaluation.report.hedging import Edge, HedgeFigures
from cli.evaluation.report.sheets import Sheet, difference, estimate, row

_EDGES: dict[Edge, str] = {"": "", "least": "the least there is", "most": "the most there is"}


def sloping(figures: Figures) -> Sheet:
    """The judge by pressure."""
    rows = [
        (*row(each.cell, each.change), difference(each.guide), difference(each.judge))
        for each in figures.slopes
        if each.judge
    ]
    columns = ("cell", "pressure", "Δ guide", "Δ judge")
    return Sheet("Judge by pressure: gain each time that pressure doubles", columns, tuple(rows))


def hedges(figures: Figures) -> Sheet:
    """Where the judge peaks."""
    rows = [
        (
            *row(each.rule, f"{each.parameter}* = {_parameter(each)}", _EDGES[each.edge]),
            *row(estimate(each.judge), estimate(each.judge_pressed)),
            difference(each.lost),
        )
        for each in figures.hedged
    ]
    columns = ("rule", "where the judge peaks", "which is", "judge there", "judge at most pressure", "lost by it")
    return Sheet("HedgeTune: how far the guide may be pressed", columns, tuple(rows))


def pressed(figures: Figures) -> Sheet:
    """How far each cell presses the guide, beside n*."""
    rows = [row(each.cell, estimate(each.n, ".2f"), each.beyond) for each in figures.pressures]
    columns = ("cell", "n of the same quantile of the guide", "where the judge peaks")
    return Sheet("How far each cell presses the guide, as the n of best-of-n", columns, tuple(rows))


def _parameter(each: HedgeFigures) -> str:
    return estimate(each.optimum, ".2f" if each.parameter in ("n", "μ") else ".3g")
