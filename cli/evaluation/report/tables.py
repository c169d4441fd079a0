"""The figures as tables, for the terminal and for the page alike."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from cli.evaluation.report.comparisons import COMPUTES, FORMS, Comparison, Compute, Form
from cli.evaluation.report.figures import CellFigures, Figures
from cli.evaluation.report.pressing import hedges, pressed, sloping
from cli.evaluation.report.sheets import Entry, Sheet, Tone, difference, estimate, percent, row, signed
from cli.evaluation.report.statistics import Interval
from cli.evaluation.report.weakest import Verdict, Weakest


def sheets(every: Sequence[Figures], found: Sequence[Weakest]) -> list[Sheet]:
    """Every table that has rows, in reading order: the weakest comparisons, then all by the first judge, then what each
    further judge says otherwise."""
    first, *further = every
    several = len(every) > 1
    made = [_weakest(found, first.baseline), *(_by(sheet, first) if several else sheet for sheet in _all(first))]
    for figures in further:
        made += [_by(sheet, figures) for sheet in _of_judge(figures)]
    made.append(_controls(first))
    return [sheet for sheet in made if sheet.rows]


def _all(figures: Figures) -> list[Sheet]:
    rewards, *compared = _of_judge(figures)
    return [rewards, *compared, _answers(figures), _categories(figures)]


def _of_judge(figures: Figures) -> list[Sheet]:
    """What depends on who judges."""
    compared = [sheet for compute in COMPUTES for sheet in (_compared(figures, compute), _at_length(figures, compute))]
    return [
        _rewards(figures),
        *compared,
        _gains(figures),
        sloping(figures),
        hedges(figures),
        pressed(figures),
        _lengths(figures),
    ]


def _by(sheet: Sheet, figures: Figures) -> Sheet:
    return replace(sheet, title=f"{sheet.title} · judge: {figures.judge}")


def _weakest(found: Sequence[Weakest], baseline: str) -> Sheet:
    tones: dict[Verdict, Tone] = {"better": "better", "worse": "worse", "not shown": ""}
    rows = [
        (
            *row(each.cell, each.spent, each.judge, f"{each.compute}, {FORMS[each.form]}"),
            difference(each.plain),
            Entry(_bracket(each.corrected)),
            Entry(each.verdict, tones[each.verdict]),
        )
        for each in found
    ]
    columns = ("cell", "at", "judge", "weakest", "Δ judge", "corrected", "claim")
    return Sheet(f"Weakest of all comparisons with {baseline}, the lowest first", columns, tuple(rows))


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
            estimate(each.oracle),
            estimate(each.regret),
        )
        for each in shown(figures)
    ]
    columns = ("cell", "questions", "tokens", "seconds", "guide", "judge", "oracle", "regret")
    return Sheet("Reward and cost, means per question", columns, tuple(rows))


def _compared(figures: Figures, compute: Compute) -> Sheet:
    rows = [_comparison(each) for each in figures.comparisons if each.compute == compute]
    spent = "seconds" if compute == "equal seconds" else "tokens"
    columns = ("cell", "pairs", spent, "against", "Δ guide", "Δ judge", "corrected")
    return Sheet(f"Against {figures.baseline} at {compute}", columns, tuple(rows))


def _comparison(each: Comparison) -> tuple[Entry, ...]:
    against = f"n={each.n}{' ‡' if each.short else ''}"
    if each.compute == "equal seconds":
        spent, against = f"{each.seconds:.2f}", f"{against}, {each.other_seconds:.2f}"
    else:
        spent, against = f"{each.tokens:.0f}", f"{against}, {each.other_tokens:.0f}"
    differences = (each.guide, each.judge)
    return (
        *row(each.cell, f"{each.questions}", spent, against),
        *map(difference, differences),
        _corrected(each, "judge"),
    )


def _at_length(figures: Figures, compute: Compute) -> Sheet:
    rows = [
        (
            *row(each.cell, f"{each.characters:+.0f}"),
            difference(each.judge_at_equal_length),
            _corrected(each, "judge_at_equal_length"),
            *row(f"{each.characters_matched:+.0f}", f"{each.matches:.1f}", f"{each.far:.0%}"),
            difference(each.judge_at_matched_length),
            _corrected(each, "judge_at_matched_length"),
        )
        for each in figures.comparisons
        if each.compute == compute and each.judge
    ]
    columns = (
        "cell",
        "Δ characters",
        "Δ judge, regression",
        "corrected",
        "Δ characters, matched",
        "matches",
        "none",
        "Δ judge, matched",
        "corrected",
    )
    return Sheet(f"Against {figures.baseline} at {compute} and equal length", columns, tuple(rows))


def _corrected(each: Comparison, form: Form) -> Entry:
    interval = each.corrected.get(form)
    return Entry("–") if interval is None else Entry(_bracket(interval), difference(interval).tone)


def _bracket(interval: Interval) -> str:
    return "–" if interval.low is None else f"[{interval.low:+.3f}, {interval.high:+.3f}]"


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
