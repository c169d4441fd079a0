"""The notes below a report: what a reader must know to read its figures rightly."""

from collections.abc import Sequence

from cli.evaluation.report.figures import Figures
from cli.evaluation.report.matching import TOLERANCE
from cli.evaluation.report.weakest import Weakest, claims


def notes(figures: Figures, found: Sequence[Weakest]) -> list[str]:
    """One sentence each, what may be claimed first; most of them are there only where the results give reason."""
    return [
        *claims(found, figures.baseline),
        *_what(figures),
        *_equal_length(figures),
        *_pressure(figures),
        *_baseline(figures),
        *_judge(figures),
        *_mixed(figures),
    ]


def _what(figures: Figures) -> list[str]:
    bootstrap = figures.bootstrap
    which = "" if figures.selection == "all" else f" with {figures.selection} ids"
    return [
        f"{len(figures.questions)} questions{which}. Brackets are {bootstrap.confidence:.0%} bootstrap intervals over "
        f"questions (percentile, {bootstrap.resamples} resamples, seed {bootstrap.seed}); differences are paired by "
        "question. Those called corrected hold for all cells of a table together (simultaneous, max-t over the same "
        "resamples); the others are each for itself.",
        "Tokens are all that were sampled for a question, mutation and discarded ones included. Seconds are those "
        "during which the engine worked on the cell, divided by its questions.",
    ]


def _equal_length(figures: Figures) -> list[str]:
    if not any(each.judge for each in figures.comparisons):
        return []
    return [
        "Equal length is taken in two ways: by regression, the difference where a line over tanh(difference of "
        "characters / its deviation) meets equal length; and matched, against the best by guide of n among the "
        f"candidates of the same question whose characters differ by at most {TOLERANCE:.0%} (all of them where they "
        f"are fewer, the nearest where there is none), for which {figures.baseline} would have had to sample more "
        "than n.",
        "Oracle is the best by the judge of the final responses, regret what choosing by the guide loses to it.",
    ]


def _pressure(figures: Figures) -> list[str]:
    if not figures.hedged:
        return []
    return [
        "HedgeTune takes the judge at each rank of the guide among the candidates of one question. Beyond n* (μ*), and "
        "below λ* or β*, choosing harder by this guide loses by this judge; λ and β are in units of the guide."
    ]


def _baseline(figures: Figures) -> list[str]:
    if not figures.curve:
        return [
            f"No cell of {figures.baseline} with candidates: differences at equal compute, gains in standard "
            "deviations of its samples and the curve are left out."
        ]
    largest = figures.curve[-1].n
    sentences = [
        f"† is derived from the candidates of {figures.source!r}: the expectation over all subsets of n of them, for n "
        f"up to {largest}, the fewest that any question has. Seconds are derived in proportion to tokens."
    ]
    if figures.turns > 1:
        sentences.append("Candidates of a later turn follow the best of all candidates of the earlier one, at every n.")
    short = sorted({each.cell for each in figures.comparisons if each.short})
    if short:
        sentences.append(
            f"‡ {figures.baseline} with n={largest}, the largest there is, costs less than was to be spent, so the "
            f"comparison favours the cell: {', '.join(short)}."
        )
    return sentences


def _judge(figures: Figures) -> list[str]:
    if not figures.judged:
        return ["Nothing was judged: only the guide's figures are shown, and the guide has chosen the answers."]
    missing = "No controls.json: whether judge and guide see through gibberish is not shown."
    sentences = [] if figures.controls else [missing]
    part = [
        f"{each.name} ({each.judged} of {each.questions})" for each in figures.cells if each.judged < each.questions
    ]
    if part:
        sentences.append(f"The judge's figures cover only the questions that were judged: {', '.join(part)}.")
    return sentences


def _mixed(figures: Figures) -> list[str]:
    sentences = [
        f"Rows come from different versions of {name}: {', '.join(values)}."
        for name, values in figures.versions.items()
        if len(values) > 1
    ]
    if len({each.questions for each in figures.cells}) > 1:
        sentences.append(
            "Cells cover different numbers of questions; differences are over the questions that both have."
        )
    return sentences
