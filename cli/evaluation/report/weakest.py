"""What may be claimed of a cell: the least favourable of all its comparisons with the baseline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from cli.evaluation.report.comparisons import FORMS, Comparison, Compute, Form
from cli.evaluation.report.statistics import Interval

Spent = Literal["equal compute", "twice the tokens"]
SPENT: dict[Spent, tuple[Compute, ...]] = {
    "equal compute": ("equal tokens", "equal seconds"),
    "twice the tokens": ("twice the tokens",),
}
Verdict = Literal["better", "worse", "not shown"]


@dataclass(frozen=True)
class Weakest:
    """The comparison, of those by every judge and in every form, whose corrected interval reaches lowest.

    `plain` is its interval as it is, `corrected` the one that holds for all cells together. `better` is claimed where
    even this corrected interval lies above 0, and so all the others do; `worse` where the interval of any lies below.
    """

    cell: str
    spent: Spent
    compute: Compute
    judge: str
    form: Form
    plain: Interval
    corrected: Interval
    verdict: Verdict


def weakest(by_judge: Mapping[str, Sequence[Comparison]]) -> tuple[Weakest, ...]:
    """One for each cell that any judge has judged, at equal compute and at twice the tokens; the lowest first."""
    cells = dict.fromkeys(each.cell for comparisons in by_judge.values() for each in comparisons)
    made = [found for spent in SPENT for cell in cells if (found := _of_cell(cell, spent, by_judge))]
    return tuple(sorted(made, key=lambda each: (tuple(SPENT).index(each.spent), _reach(each.corrected))))


def claims(found: Sequence[Weakest], baseline: str) -> list[str]:
    """A sentence for each of `SPENT`: of which cells a gain is shown, and of which it is not."""
    sentences = []
    for spent in SPENT:
        of_spent = [each for each in found if each.spent == spent]
        if of_spent:
            shown = ", ".join(each.cell for each in of_spent if each.verdict == "better") or "no cell"
            judges = "every judge, as it is and at equal length both ways"
            sentences.append(f"At {spent} {shown} is shown to be better than {baseline} by {judges}.")
    return sentences


def _of_cell(cell: str, spent: Spent, by_judge: Mapping[str, Sequence[Comparison]]) -> Weakest | None:
    found = [
        (judge, each, form, plain)
        for judge, comparisons in by_judge.items()
        for each in comparisons
        if each.cell == cell and each.compute in SPENT[spent]
        for form in FORMS
        if (plain := getattr(each, form)) is not None
    ]
    if not found:
        return None
    judge, each, form, plain = min(found, key=lambda item: _reach(item[1].corrected[item[2]]))
    corrected = each.corrected[form]
    verdict: Verdict = "not shown"
    if corrected.excludes_zero:
        verdict = "better" if corrected.value > 0 else "worse"
    return Weakest(cell, spent, each.compute, judge, form, plain, corrected, verdict)


def _reach(interval: Interval) -> float:
    return interval.value if interval.low is None else interval.low
