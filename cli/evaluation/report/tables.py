"""The figures as tables, for the terminal and for the page alike."""

from collections.abc import Iterable
from typing import Any

from cli.evaluation.report.comparisons import COMPUTES, Comparison, Compute
from cli.evaluation.report.figures import CellFigures, Figures
from cli.evaluation.report.sheets import Entry, Sheet, difference, estimate, percent, row, signed


def sheets(figures: Figures) -> list[Sheet]:
    """Every table that has rows, in reading order."""
    made = [
        _rewards(figures),
        *(_compared(figures, compute) for compute in COMPUTES),
        _answers(figures),
        _gains(figures),
        _categories(figures),
        _lengths(figures),
        _controls(figures),
    ]
    return [sheet for sheet in made if sheet.rows]


def label(each: CellFigures, cells: Iterable[CellFigures]) -> str:
    """A cell's name; derived ones carry a †, and n = 1 is called sample where no sample was measured."""
    if each.n is None:
        return each.name
    is_sample = each.n == 1 and all(cell.method != "sample" for cell in cells)
    return f"{'sample' if is_sample else each.name} †"


def shown(figures: Figures) -> list[CellFigures]:
    """The curve at powers of two below its end, which is measured, then the cells."""
    powers = [each for each in figures.curve[:-1] if each.n is not None and each.n & (each.n - 1) == 0]
    return [*powers, *figures.cells]


def _rewards(figures: Figures) -> Sheet:
    rows = [
        row(
            label(each, figures.cells),
            f"{each.questions}",
            f"{each.tokens:.0f}",
            f"{each.seconds:.2f}",
            estimate(each.guide),
            estimate(each.judge),
        )
        for each in shown(figures)
    ]
    columns = ("cell", "questions", "tokens", "seconds", "guide", "judge")
    return Sheet("Reward and cost, means per question", columns, tuple(rows))


def _compared(figures: Figures, compute: Compute) -> Sheet:
    rows = [_comparison(each) for each in figures.comparisons if each.compute == compute]
    spent = "seconds" if compute == "equal seconds" else "tokens"
    columns = ("cell", "pairs", spent, "against", "Δ guide", "Δ judge", "Δ judge at equal length")
    return Sheet(f"Against {figures.baseline} at {compute}", columns, tuple(rows))


def _comparison(each: Comparison) -> tuple[Entry, ...]:
    against = f"n={each.n}{' ‡' if each.short else ''}"
    if each.compute == "equal seconds":
        spent, against = f"{each.seconds:.2f}", f"{against}, {each.other_seconds:.2f}"
    else:
        spent, against = f"{each.tokens:.0f}", f"{against}, {each.other_tokens:.0f}"
    differences = (each.guide, each.judge, each.judge_at_equal_length)
    return (*row(each.cell, f"{each.questions}", spent, against), *map(difference, differences))


def _answers(figures: Figures) -> Sheet:
    rows = [
        row(
            label(each, figures.cells),
            percent(each.win_judge),
            percent(each.win_guide),
            f"{each.answer_tokens:.0f}",
            f"{each.answer_characters:.0f}",
        )
        for each in shown(figures)
    ]
    columns = ("cell", "wins by judge", "wins by guide", "tokens of answer", "characters")
    return Sheet("Win rate against the base answer, and length of answers", columns, tuple(rows))


def _gains(figures: Figures) -> Sheet:
    rows = [
        (
            *row(label(each, figures.cells), f"{each.tokens:.0f}"),
            *map(difference, (each.gain.guide, each.gain.judge)),
            Entry(estimate(each.gain.divergence)),
        )
        for each in shown(figures)
        if each.gain and each.n != 1
    ]
    columns = ("cell", "tokens", "gain by guide", "gain by judge", "guide − judge")
    title = "Over-optimisation: gain over a plain sample, in standard deviations of samples of one question"
    return Sheet(title, columns, tuple(rows))


def _categories(figures: Figures) -> Sheet:
    compared = [each for each in figures.comparisons if each.compute == "equal tokens"]
    names = sorted({name for each in compared for name in each.categories})
    rows = [
        (Entry(each.cell), *(difference(each.categories.get(name), bare=True) for name in names))
        for each in compared
        if names
    ]
    scorer = "judge" if figures.judged else "guide"
    title = f"Δ {scorer} against {figures.baseline} at equal tokens, by category (* interval excludes zero)"
    return Sheet(title, ("cell", *names), tuple(rows))


def _lengths(figures: Figures) -> Sheet:
    rows = [
        row(
            each.scorer,
            f"{each.texts}",
            signed(each.correlation),
            signed(each.within_question),
            percent(each.longer_candidate),
            percent(each.longer_answer),
        )
        for each in figures.lengths
        if each.texts
    ]
    columns = (
        "scorer",
        "texts",
        "Spearman",
        "within a question",
        "longer candidate wins",
        "longer of answer and base wins",
    )
    return Sheet("Length: how scores go with characters", columns, tuple(rows))


def _controls(figures: Figures) -> Sheet:
    rows = [row(name, value) for name, value in _flat(figures.controls)]
    return Sheet("Controls of guide and judge", ("control", "value"), tuple(rows))


def _flat(value: Any, name: str = "") -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [
            line for key, inner in value.items() for line in _flat(inner, f"{name} {key}".strip().replace("_", " "))
        ]
    return [(name, f"{value:.3f}" if isinstance(value, float) else str(value))]
