"""Over-optimisation: how much of what the guide gains the judge grants (Gao et al., arXiv 2210.10760)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from cli.evaluation.report.cells import Doubles, MeasuredCell
from cli.evaluation.report.lengths import SCORERS, ScorerName
from cli.evaluation.report.statistics import Bootstrap, Interval
from cli.evaluation.rows import Row


@dataclass(frozen=True)
class Gain:
    """Gain over a plain sample in standard deviations of plain samples; `divergence` is guide's minus judge's."""

    guide: Interval | None
    judge: Interval | None
    divergence: Interval | None


@dataclass(frozen=True, eq=False)
class PlainSamples:
    """Plain samples: their mean by question, and their spread.

    The spread pools the variances within each question and turn, so that it is the unit in which choosing among
    samples of one question gains; differences between questions do not enter.
    """

    means: dict[ScorerName, dict[str, float]]
    deviations: dict[ScorerName, float]

    def gain(self, cell: MeasuredCell, bootstrap: Bootstrap) -> Gain:
        """The cell's mean gain over the questions that have samples."""
        gains = {scorer: self._gains(cell, scorer) for scorer in SCORERS}
        guide, judge = gains["guide"], gains["judge"]
        return Gain(bootstrap.mean(guide), bootstrap.mean(judge), bootstrap.mean(guide - judge))

    def _gains(self, cell: MeasuredCell, scorer: ScorerName) -> Doubles:
        plain = np.array([self.means[scorer].get(question, np.nan) for question in cell.questions])
        return np.asarray((cell.values[scorer] - plain) / self.deviations[scorer])


def samples(rows: Sequence[Row], source: str | None) -> PlainSamples | None:
    """The candidates of the cell `source`, or without one the base responses of all rows.

    None where no question has two samples that differ, so that there is no unit.
    """
    groups: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for row in rows:
        if source is None or row.cell == source:
            for index in range(len(row.turns)):
                groups.setdefault((row.question, index), []).extend(_plain(row, index, source is None))
    arrays = {key: np.array(scores) for key, scores in groups.items()}
    means = {scorer: _means(arrays, column) for column, scorer in enumerate(SCORERS)}
    deviations = {scorer: _deviation(arrays.values(), column) for column, scorer in enumerate(SCORERS)}
    return PlainSamples(means, deviations) if deviations["guide"] > 0 else None


def _plain(row: Row, index: int, bases: bool) -> list[tuple[float, float]]:
    turn = row.turns[index]
    scores = [(turn.base_guide, turn.base_judge)] if bases else [(each.guide, each.judge) for each in turn.candidates]
    return [(guide, np.nan if judge is None else judge) for guide, judge in scores]


def _means(groups: dict[tuple[str, int], Doubles], column: int) -> dict[str, float]:
    """By question, over its turns."""
    of_turns: dict[str, list[float]] = {}
    for (question, _), scores in groups.items():
        of_turns.setdefault(question, []).append(float(scores[:, column].mean()))
    return {question: float(np.mean(turns)) for question, turns in of_turns.items()}


def _deviation(groups: Iterable[Doubles], column: int) -> float:
    """NaN where it is unknown or zero."""
    variances = [np.var(scores[:, column], ddof=1) for scores in groups if len(scores) > 1]
    known = [variance for variance in variances if not np.isnan(variance)]
    pooled = float(np.sqrt(np.mean(known))) if known else 0.0
    return pooled if pooled > 0 else np.nan
