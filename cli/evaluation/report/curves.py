"""Best-of-n for every n, from one run of best-of-N."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from cli.evaluation.report.cells import Doubles, MeasuredCell, Measures, by_question, of_texts, over_turns, positions
from cli.evaluation.rows import Row, Turn


@dataclass(frozen=True, eq=False)
class Curve:
    """Best-of-n for n = 1 … N, derived. `values` are of shape (N, questions), `seconds` of shape (N,) per question.

    N is the fewest candidates that any question (any turn, any seed) has, so that every n is over all questions. A
    derived value is an expectation over all n-subsets, and so varies less than one run of best-of-n would. The second
    turn's candidates answer the first turn's best of *all* candidates, at every n. `rows` are what it is derived from.
    """

    source: str
    method: str
    questions: tuple[str, ...]
    values: Measures
    seconds: Doubles
    rows: tuple[Row, ...] = ()

    @property
    def largest(self) -> int:
        """N."""
        return len(self.seconds)

    def at(self, n: int) -> MeasuredCell:
        """Best-of-n as a cell; raises IndexError beyond N."""
        values = {measure: values[n - 1] for measure, values in self.values.items()}
        return MeasuredCell(f"{self.method} n={n}", self.method, self.questions, values, float(self.seconds[n - 1]))

    def tokens(self, questions: Sequence[str]) -> Doubles:
        """Mean tokens over these questions, of shape (N,)."""
        return np.asarray(self.values["tokens"][:, positions(self.questions, questions)].mean(axis=1))


@cache
def weights(candidates: int, largest: int) -> Doubles:
    """The chance that the candidate of each rank is the best of a uniformly drawn n-subset, of shape (largest, ranks).

    Row n - 1 holds C(N - r, n - 1) / C(N, n) for the ranks r = 1 … N, best first.
    """
    return np.array(
        [
            [math.comb(candidates - rank, n - 1) / math.comb(candidates, n) for rank in range(1, candidates + 1)]
            for n in range(1, largest + 1)
        ]
    )


def best_of(turn: Turn, largest: int) -> Measures:
    """Expected measures of the best by guide of n candidates, of shape (largest,); of equals the earlier is taken.

    A value is NaN where it depends on a candidate that was not judged.
    """
    ranked = sorted(turn.candidates, key=lambda candidate: -candidate.guide)
    chances = weights(len(ranked), largest)
    measured = of_texts(turn, ranked)
    expected = {measure: _expected(chances, values) for measure, values in measured.items()}
    # Sorted by the judge itself, unknown scores first, so that whatever may be the best of them is unknown too.
    by_judge = -np.sort(-measured["judge"])
    unknown = np.isnan(by_judge).sum()
    expected["oracle"] = _expected(chances, np.roll(by_judge, unknown))
    return {**expected, "tokens": np.arange(1, largest + 1) * measured["tokens"].mean()}


def _expected(chances: Doubles, values: Doubles) -> Doubles:
    unknown = np.isnan(values)
    expected = chances @ np.where(unknown, 0.0, values)
    return np.where((chances > 0) @ unknown, np.nan, expected)


def curve(cells: Mapping[str, Sequence[Row]], baseline: str, seconds: Mapping[str, float]) -> Curve | None:
    """The curve of the baseline's cell with the most candidates; None where no cell of that method has any.

    Seconds of n are the cell's own, in proportion to tokens.
    """
    fewest = {name: fewest_candidates(rows) for name, rows in cells.items() if rows[0].method == baseline}
    source = max(fewest, key=lambda name: fewest[name], default=None)
    if source is None or fewest[source] == 0:
        return None
    rows, largest = cells[source], fewest[source]
    questions, values = by_question(rows, lambda row: over_turns([best_of(turn, largest) for turn in row.turns]))
    sampled = by_question(rows, _sampled)[1]["tokens"].mean()
    of_n = np.asarray(seconds[source] * values["tokens"].mean(axis=1) / sampled)
    return Curve(source, baseline, questions, values, of_n, tuple(rows))


def fewest_candidates(rows: Sequence[Row]) -> int:
    """The fewest candidates of any turn."""
    return min(len(turn.candidates) for row in rows for turn in row.turns)


def _sampled(row: Row) -> Measures:
    return {"tokens": np.array(sum(turn.tokens.generated for turn in row.turns), dtype=np.float64)}
