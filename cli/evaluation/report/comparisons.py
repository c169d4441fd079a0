"""Each cell against best-of-n at equal compute, on the same questions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from cli.evaluation.report.cells import Doubles, MeasuredCell, positions
from cli.evaluation.report.curves import Curve
from cli.evaluation.report.matching import Matched, matched
from cli.evaluation.report.statistics import Bootstrap, Interval

Compute = Literal["equal tokens", "twice the tokens", "equal seconds"]
COMPUTES: tuple[Compute, ...] = ("equal tokens", "twice the tokens", "equal seconds")
Form = Literal["judge", "judge_at_equal_length", "judge_at_matched_length"]
"""How a difference by the judge is taken: as it is; at equal length by regression, or against such candidates."""
FORMS: dict[Form, str] = {
    "judge": "as it is",
    "judge_at_equal_length": "at equal length, by regression",
    "judge_at_matched_length": "at equal length, matched candidates",
}


@dataclass(frozen=True)
class Comparison:
    """A cell against best-of-n with the smallest n that costs at least as much as `compute` says.

    `short` says that even the largest n costs less, and is what was compared. `guide` and the forms of `judge` are the
    cell's minus best-of-n's, paired by question; `corrected` has those forms' intervals which hold for all cells of the
    table together, never narrower than the plain ones. `categories` is the difference by category: of the judge, or of
    the guide where nothing was judged. Tokens and seconds are per question, `characters` is how much longer the cell's
    answers are. Of the matched candidates `matches` is how many there were on average, `far` the share of answers
    without any, `characters_matched` the difference of length that is left.
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
    characters: float
    characters_matched: float
    matches: float
    far: float
    guide: Interval | None
    judge: Interval | None
    judge_at_equal_length: Interval | None
    judge_at_matched_length: Interval | None
    corrected: dict[Form, Interval] = field(default_factory=dict)
    categories: dict[str, Interval] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class _Paired:
    """A cell and best-of-n on the questions that both have; differences are of shape (questions,)."""

    cell: MeasuredCell
    other: MeasuredCell
    n: int
    short: bool
    questions: list[str]
    tokens: float
    other_tokens: float
    guide: Doubles
    judge: Doubles
    characters: Doubles
    matched: Matched


def compare(
    cell: MeasuredCell, curve: Curve, compute: Compute, categories: Mapping[str, str], bootstrap: Bootstrap
) -> Comparison | None:
    """The comparison over the questions that both have; None where they share none. `categories` are by question."""
    return next(iter(compare_all([cell], curve, compute, categories, bootstrap)), None)


def compare_all(
    cells: Sequence[MeasuredCell], curve: Curve, compute: Compute, categories: Mapping[str, str], bootstrap: Bootstrap
) -> tuple[Comparison, ...]:
    """The comparisons of all cells that share a question with the curve; their corrected intervals hold together."""
    pairs = [pair for cell in cells if (pair := _paired(cell, curve, compute))]
    if not pairs:
        return ()
    judge = _aligned(pairs, curve.questions, [pair.judge for pair in pairs])
    lengths = _aligned(pairs, curve.questions, [pair.characters for pair in pairs])
    by_match = _aligned(pairs, curve.questions, [pair.matched.judge for pair in pairs])
    corrected: dict[Form, list[Interval | None]] = {
        "judge": bootstrap.simultaneous(judge),
        "judge_at_equal_length": bootstrap.simultaneous(judge, lengths),
        "judge_at_matched_length": bootstrap.simultaneous(by_match),
    }
    return tuple(
        _comparison(
            pair,
            compute,
            {form: found for form, of_form in corrected.items() if (found := of_form[place])},
            categories,
            bootstrap,
        )
        for place, pair in enumerate(pairs)
    )


def _paired(cell: MeasuredCell, curve: Curve, compute: Compute) -> _Paired | None:
    known = set(curve.questions)
    questions = [question for question in cell.questions if question in known]
    if not questions:
        return None
    mine = cell.on(questions)
    tokens = float(mine["tokens"].mean())
    n, short = _smallest(*_costs(cell, curve, compute, tokens, curve.tokens(questions)))
    other = curve.at(n)
    theirs = other.on(questions)
    return _Paired(
        cell=cell,
        other=other,
        n=n,
        short=short,
        questions=questions,
        tokens=tokens,
        other_tokens=float(theirs["tokens"].mean()),
        guide=mine["guide"] - theirs["guide"],
        judge=mine["judge"] - theirs["judge"],
        characters=mine["answer_characters"] - theirs["answer_characters"],
        matched=matched(cell.rows, curve.rows, questions, n),
    )


def _aligned(pairs: Sequence[_Paired], questions: Sequence[str], values: Sequence[Doubles]) -> Doubles:
    """Values of each pair in the order of these questions, NaN where it has none: (pairs, questions)."""
    found = np.full((len(pairs), len(questions)), np.nan)
    for place, (pair, own) in enumerate(zip(pairs, values, strict=True)):
        found[place, positions(questions, pair.questions)] = own
    return found


def _comparison(
    pair: _Paired,
    compute: Compute,
    corrected: dict[Form, Interval],
    categories: Mapping[str, str],
    bootstrap: Bootstrap,
) -> Comparison:
    plain: dict[Form, Interval | None] = {
        "judge": bootstrap.mean(pair.judge),
        "judge_at_equal_length": bootstrap.at_equal_length(pair.judge, pair.characters),
        "judge_at_matched_length": bootstrap.mean(pair.matched.judge),
    }
    by_category = pair.guide if np.isnan(pair.judge).all() else pair.judge
    return Comparison(
        cell=pair.cell.name,
        compute=compute,
        n=pair.n,
        short=pair.short,
        questions=len(pair.questions),
        tokens=pair.tokens,
        seconds=pair.cell.seconds,
        other_tokens=pair.other_tokens,
        other_seconds=pair.other.seconds,
        characters=float(pair.characters.mean()),
        characters_matched=float(pair.matched.characters.mean()),
        matches=float(pair.matched.candidates.mean()),
        far=float(pair.matched.far.mean()),
        guide=bootstrap.mean(pair.guide),
        **plain,
        corrected={form: found.around(plain[form]) for form, found in corrected.items()},
        categories=_by_category(by_category, pair.questions, categories, bootstrap),
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
