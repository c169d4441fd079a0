"""The figures as plots."""

from typing import Literal

import matplotlib
from matplotlib.figure import Figure

from cli.evaluation.report.drawing import COLOURS, GREY, INK, STYLE, curve, legend, logarithmic, marked, point
from cli.evaluation.report.figures import Figures
from cli.evaluation.report.lengths import ScorerName
from cli.evaluation.report.statistics import Interval

ComputeUnit = Literal["tokens", "seconds"]


def plots(figures: Figures) -> dict[str, Figure]:
    """Every plot by file name (without ending); those without data are left out."""
    with matplotlib.rc_context(STYLE):
        drawn = {
            "reward-by-tokens": _rewards(figures, "tokens"),
            "reward-by-seconds": _rewards(figures, "seconds"),
            "over-optimisation": _gains(figures),
            "length": _lengths(figures),
        }
    return {name: figure for name, figure in drawn.items() if figure is not None}


def _rewards(figures: Figures, spent: ComputeUnit) -> Figure:
    scorers: tuple[ScorerName, ...] = ("guide", "judge") if figures.judged else ("guide",)
    figure = Figure(figsize=(5 * len(scorers) + 3, 4.8), layout="constrained")
    for index, scorer in enumerate(scorers, start=1):
        axes = figure.add_subplot(1, len(scorers), index)
        known = [(getattr(each, spent), interval) for each in figures.curve if (interval := getattr(each, scorer))]
        curve(axes, known, f"{figures.baseline}, dots at n = 1, 2, 4 … †")
        for each, marker in marked(figures.cells):
            if interval := getattr(each, scorer):
                point(axes, each, marker, getattr(each, spent), interval)
        axes.set(title=f"{scorer} by {spent}", xlabel=f"{spent} per question", ylabel=f"reward ({scorer})")
        logarithmic(axes)
    legend(figure)
    return figure


def _gains(figures: Figures) -> Figure | None:
    if not any(each.gain for each in figures.cells):
        return None
    figure = Figure(figsize=(13, 4.8), layout="constrained")
    _gains_by_tokens(figure, figures)
    if figures.judged:
        _judge_by_guide(figure, figures)
    legend(figure)
    return figure


def _gains_by_tokens(figure: Figure, figures: Figures) -> None:
    axes = figure.add_subplot(1, 2 if figures.judged else 1, 1)
    for scorer, dashes in (("guide", "-"), ("judge", "--")):
        known = [(each.tokens, interval) for each in figures.curve if (interval := getattr(each.gain, scorer, None))]
        curve(axes, known, f"{figures.baseline}, {scorer} †", dashes)
        for each, marker in marked(figures.cells):
            if interval := getattr(each.gain, scorer, None):
                hollow = scorer == "judge"
                point(axes, each, marker, each.tokens, interval.value, hollow=hollow, label="" if hollow else None)
    axes.set(title="gain over a plain sample: guide filled, judge hollow", xlabel="tokens per question")
    axes.set_ylabel("standard deviations of samples")
    logarithmic(axes)


def _judge_by_guide(figure: Figure, figures: Figures) -> None:
    axes = figure.add_subplot(1, 2, 2)
    gains = [each.gain for each in figures.curve if each.gain]
    both = [(gain.guide.value, gain.judge.value) for gain in gains if gain.guide and gain.judge]
    axes.plot([x for x, _ in both], [y for _, y in both], color=COLOURS["best-of-n"], linewidth=1.8)
    for each, marker in marked(figures.cells):
        if each.gain and each.gain.guide and each.gain.judge:
            point(axes, each, marker, each.gain.guide, each.gain.judge, label="")
    axes.axline((0, 0), slope=1, color=GREY, linestyle=":", label="judge grants all of it")
    axes.set(title="the judge's gain by the guide's", xlabel="gain by guide", ylabel="gain by judge")


def _lengths(figures: Figures) -> Figure:
    compared = [each for each in figures.comparisons if each.compute == "equal tokens" and each.judge]
    figure = Figure(figsize=(13 if compared else 8, max(4.8, 0.36 * len(compared) + 1.6)), layout="constrained")
    axes = figure.add_subplot(1, 2 if compared else 1, 1)
    derived = figures.curve
    axes.plot(
        [each.tokens for each in derived], [each.answer_characters for each in derived], color=COLOURS["best-of-n"]
    )
    for each, marker in marked(figures.cells):
        point(axes, each, marker, each.tokens, each.answer_characters)
    axes.set(title="length of answers by tokens", xlabel="tokens per question", ylabel="characters of an answer")
    logarithmic(axes)
    if compared:
        _length_control(figure, figures)
    legend(figure)
    return figure


def _length_control(figure: Figure, figures: Figures) -> None:
    """Each cell's judged difference as it is and at equal length, one line a cell."""
    axes = figure.add_subplot(1, 2, 2)
    compared = {each.cell: each for each in figures.comparisons if each.compute == "equal tokens" and each.judge}
    cells = [(each, marker) for each, marker in marked(figures.cells) if each.name in compared]
    for line, (each, marker) in enumerate(cells):
        raw, equal = compared[each.name].judge, compared[each.name].judge_at_equal_length
        for shift, interval, hollow in ((-0.15, raw, False), (0.15, equal, True)):
            if isinstance(interval, Interval):
                point(axes, each, marker, interval, line + shift, hollow=hollow, label="")
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.set_yticks(range(len(cells)), [each.name for each, _ in cells], fontsize="small")
    axes.invert_yaxis()
    axes.set(title="Δ judge: filled as it is, hollow at equal length")
    axes.set_xlabel(f"Δ judge against {figures.baseline} at equal tokens")
