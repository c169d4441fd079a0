"""How far guide and judge go with length, over everything that was scored."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

from cli.evaluation.report.cells import Doubles
from cli.evaluation.report.statistics import Bootstrap, Interval, spearman
from cli.evaluation.rows import Row

ScorerName = Literal["guide", "judge"]
SCORERS: tuple[ScorerName, ...] = ("guide", "judge")


@dataclass(frozen=True)
class LengthFigures:
    """Of one scorer, with length in characters.

    `correlation` is Spearman's over all distinct texts (candidates and answers), `within_question` its mean over
    (question, turn). `longer_candidate` is the share of pairs of candidates in which the longer one scores higher
    (equal scores count half, equal lengths not at all), `longer_answer` the same of answer and base: means over
    questions. 0.5 is what a scorer indifferent to length would give.
    """

    scorer: ScorerName
    texts: int
    correlation: float | None
    within_question: float | None
    longer_candidate: Interval | None
    longer_answer: Interval | None


@dataclass(frozen=True)
class _Scored:
    """One text: `values` are length in characters, guide, judge."""

    text: str
    values: tuple[float, float, float]


def length_figures(rows: Sequence[Row], scorer: ScorerName, bootstrap: Bootstrap) -> LengthFigures:
    """The figures of guide or judge over all rows; None where nothing was judged or nothing can be compared."""
    column = 1 if scorer == "guide" else 2
    groups: dict[tuple[str, int], dict[str, tuple[float, float, float]]] = {}
    sampled: dict[str, list[Doubles]] = {}
    against_base: dict[str, list[Doubles]] = {}
    for row in rows:
        for index in range(len(row.turns)):
            candidates, answer, base = _scored(row, index)
            texts = groups.setdefault((row.question, index), {})
            texts.update((scored.text, scored.values) for scored in [*candidates, answer])
            sampled.setdefault(row.question, []).append(_longer_wins(candidates, column))
            against_base.setdefault(row.question, []).append(_longer_wins([answer, base], column))
    tables = [np.array(list(texts.values())) for texts in groups.values()]
    every = np.concatenate(tables)
    within = [found for table in tables if (found := spearman(table[:, 0], table[:, column])) is not None]
    return LengthFigures(
        scorer=scorer,
        texts=int((~np.isnan(every[:, column])).sum()),
        correlation=spearman(every[:, 0], every[:, column]),
        within_question=float(np.mean(within)) if within else None,
        longer_candidate=bootstrap.mean(_shares(sampled.values())),
        longer_answer=bootstrap.mean(_shares(against_base.values())),
    )


def _scored(row: Row, index: int) -> tuple[list[_Scored], _Scored, _Scored]:
    """Candidates, answer and base of a turn."""
    turn = row.turns[index]

    def scored(text: str, guide: float, judge: float | None) -> _Scored:
        return _Scored(text, (len(text), guide, np.nan if judge is None else judge))

    candidates = [scored(each.text, each.guide, each.judge) for each in turn.candidates]
    answer = scored(turn.answer, turn.guide, turn.judge)
    return candidates, answer, scored(turn.base, turn.base_guide, turn.base_judge)


def _longer_wins(texts: Sequence[_Scored], column: int) -> Doubles:
    """Of each pair of different length 1 where the longer scores higher, ½ where equal, 0 where lower."""
    pairs = np.array([[one.values, other.values] for one, other in combinations(texts, 2)]).reshape(-1, 2, 3)
    by_length, by_score = (np.sign(pairs[:, 0, place] - pairs[:, 1, place]) for place in (0, column))
    counted = (by_length != 0) & ~np.isnan(by_score)
    return np.asarray((by_length[counted] * by_score[counted] + 1) / 2)


def _shares(of_questions: Iterable[Sequence[Doubles]]) -> Doubles:
    pooled = [np.concatenate(pairs) for pairs in of_questions]
    return np.array([pairs.mean() if len(pairs) else np.nan for pairs in pooled])
