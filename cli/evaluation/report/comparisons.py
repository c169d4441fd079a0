"""Each cell against best-of-n at equal compute, on the same questions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from cli.evaluation.report.cells import Doubles, MeasuredCell
from cli.evaluation.report.curves import Curve
from cli.evaluation.report.statistics import Bootstrap, Interval

Compute = Literal["equal tokens", "twice the tokens", "equal seconds"]
COMPUTES: tuple[Compute, ...] = ("equal tokens", "twice the tokens", "equal seconds")


@dataclass(frozen=True)
class Comparison:
    """A cell against best-of-n with the smallest n that costs at least as much as `compute` says.

    `short` says that even the largest n costs less, and is what was compared. `guide`, `judge` and
    `judge_at_equal_length` are the cell's minus best-of-n's, paired by question; `categories` the difference of the
    judge (of the guide where nothing was judged) by category. Tokens and seconds are per question.
    """

    cell: str
    compute: Compute
    n: int
    short: bool
    questions: int
    tokens: float
    seconds: float
    other_tokens: float
    other_seconds: float
    guide: Interval | None
    judge: Interval | None
    judge_at_equal_length: Interval | None
    categories: dict[str, Interval] = field(default_factory=dict)


def compare(
    cell: MeasuredCell, curve: Curve, compute: Compute, categories: Mapping[str, str], bootstrap: Bootstrap
) -> Comparison | None:
    """The comparison over the questions that both have; None where they share none. `categories` are by question."""
    known = set(curve.questions)
    questions = [question for question in cell.questions if question in known]
    if not questions:
        return None
    mine = cell.on(questions)
    tokens = float(mine["tokens"].mean())
    n, short = _smallest(*_costs(cell, curve, compute, tokens, curve.tokens(questions)))
    other = curve.at(n)
    theirs = other.on(questions)
    guide, judge = mine["guide"] - theirs["guide"], mine["judge"] - theirs["judge"]
    return Comparison(
        cell=cell.name,
        compute=compute,
        n=n,
        short=short,
        questions=len(questions),
        tokens=tokens,
        seconds=cell.seconds,
        other_tokens=float(theirs["tokens"].mean()),
        other_seconds=other.seconds,
        guide=bootstrap.mean(guide),
        judge=bootstrap.mean(judge),
        judge_at_equal_length=bootstrap.at_equal_length(judge, mine["answer_characters"] - theirs["answer_characters"]),
        categories=_by_category(guide if np.isnan(judge).all() else judge, questions, categories, bootstrap),
    )


def _costs(cell: MeasuredCell, curve: Curve, compute: Compute, tokens: float, of_n: Doubles) -> tuple[float, Doubles]:
    """What is to be spent, and what each n costs."""
    match compute:
        case "equal tokens":
            return tokens, of_n
        case "twice the tokens":
            return 2 * tokens, of_n
        case "equal seconds":
            return cell.seconds, curve.seconds


def _smallest(spent: float, of_n: Doubles) -> tuple[int, bool]:
    enough = np.flatnonzero(of_n >= spent * (1 - 1e-9))  # means of equal costs may differ in their last digit
    return (int(enough[0]) + 1, False) if len(enough) else (len(of_n), True)


def _by_category(
    differences: Doubles, questions: list[str], categories: Mapping[str, str], bootstrap: Bootstrap
) -> dict[str, Interval]:
    of_question = np.array([categories[question] for question in questions])
    means = {name: bootstrap.mean(differences[of_question == name]) for name in sorted(set(of_question))}
    return {str(name): mean for name, mean in means.items() if name and mean is not None}
