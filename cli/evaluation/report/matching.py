"""Answers beside the baseline's candidates of the same length."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cli.evaluation.report.cells import Doubles
from cli.evaluation.report.curves import weights
from cli.evaluation.rows import Candidate, Row, Turn

TOLERANCE = 0.1


@dataclass(frozen=True, eq=False)
class Matched:
    """Answers against best-of-n among candidates of their length, of shape (questions,), means over turns and seeds.

    `judge` is the answer's score less the candidates', NaN where unknown; `characters` the difference of lengths that
    is left; `candidates` how many were close enough; `far` the share of answers to which none was, so that the nearest
    in length was taken.
    """

    judge: Doubles
    characters: Doubles
    candidates: Doubles
    far: Doubles


def matched(rows: Sequence[Row], others: Sequence[Row], questions: Sequence[str], n: int) -> Matched:
    """Each answer of `rows` against the expected best by guide of n of the candidates, whatever they cost, whose
    characters differ from the answer's by at most a tenth of the answer's; of all of these where they are fewer than n.

    Matching leaves the baseline as many samples as it has without: its n are all of the right length, for which it
    would have sampled more than n. The candidates are those of the same question, turn and seed; of all seeds where the
    baseline has not this one.
    """
    of_question: dict[str, list[Row]] = {}
    for other in others:
        of_question.setdefault(other.question, []).append(other)
    found: dict[str, list[tuple[float, float, float, float]]] = {question: [] for question in questions}
    for row in rows:
        if row.question in found:
            same = of_question[row.question]
            same = [other for other in same if other.seed == row.seed] or same
            for other in same:
                found[row.question] += [
                    _turn(mine, theirs, n) for mine, theirs in zip(row.turns, other.turns, strict=False)
                ]
    means = np.array([np.mean(found[question], axis=0) for question in questions])
    return Matched(*means.T)


def _turn(mine: Turn, theirs: Turn, n: int) -> tuple[float, float, float, float]:
    length = len(mine.answer)
    close = [each for each in theirs.candidates if abs(len(each.text) - length) <= TOLERANCE * length]
    group = close or [min(theirs.candidates, key=lambda each: abs(len(each.text) - length))]
    judge, characters = _best(group, n)
    own = np.nan if mine.judge is None else mine.judge
    return own - judge, length - characters, float(len(close)), float(not close)


def _best(group: Sequence[Candidate], n: int) -> tuple[float, float]:
    """The judge and the characters that the best by guide of n of the group is expected to have."""
    ranked = sorted(group, key=lambda each: -each.guide)
    chances = weights(len(ranked), len(ranked))[min(n, len(ranked)) - 1]
    counted = chances > 0
    judge = np.array([each.judge for each in ranked], dtype=np.float64)[counted]  # None becomes NaN
    characters = np.array([len(each.text) for each in ranked], dtype=np.float64)[counted]
    return float(chances[counted] @ judge), float(chances[counted] @ characters)
