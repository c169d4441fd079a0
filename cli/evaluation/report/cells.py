"""Rows of one cell (a method under one setting) as arrays over questions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cli.evaluation.rows import Candidate, Row, Turn

Doubles = NDArray[np.float64]
Measure = Literal["guide", "judge", "oracle", "win_guide", "win_judge", "tokens", "answer_tokens", "answer_characters"]
Measures = Mapping[Measure, Doubles]
"""Scores, wins over the base and answer lengths are means over a row's turns; `tokens` (sampled) their sum.

`oracle` is what the judge's own pick of the final responses would have scored. What was not judged is NaN, and so is
every mean over it.
"""


@dataclass(frozen=True, eq=False)
class MeasuredCell:
    """What is compared. `values` are of shape (questions,), means over seeds; `seconds` per question.

    `rows` are what it was measured on; derived cells have none.
    """

    name: str
    method: str
    questions: tuple[str, ...]
    values: Measures
    seconds: float
    rows: tuple[Row, ...] = ()

    def on(self, questions: Sequence[str]) -> Measures:
        """The values of these questions, in their order."""
        places = positions(self.questions, questions)
        return {measure: values[places] for measure, values in self.values.items()}


def positions(questions: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Where each wanted question stands."""
    place = {question: index for index, question in enumerate(questions)}
    return [place[question] for question in wanted]


def cell(rows: Sequence[Row], seconds: float) -> MeasuredCell:
    """The cell of rows that share method and setting."""
    questions, values = by_question(rows, _measured)
    return MeasuredCell(rows[0].cell, rows[0].method, questions, values, seconds, tuple(rows))


def _measured(row: Row) -> Measures:
    return over_turns([_answer(turn) for turn in row.turns])


def _answer(turn: Turn) -> Measures:
    given = Candidate(text=turn.answer, guide=turn.guide, judge=turn.judge, tokens=turn.answer_tokens)
    measured = of_texts(turn, [given])
    sampled = np.array([turn.tokens.generated], dtype=np.float64)
    others = [text.judge for text in turn.candidates or turn.population]
    oracle = np.array([*others, turn.judge], dtype=np.float64).max() if others else np.nan
    return {
        measure: values[0] for measure, values in {**measured, "tokens": sampled, "oracle": np.array([oracle])}.items()
    }


def of_texts(turn: Turn, texts: Sequence[Candidate]) -> Measures:
    """What each text would measure as the answer of this turn; each of shape (texts,)."""
    guide = np.array([text.guide for text in texts], dtype=np.float64)
    judge = np.array([text.judge for text in texts], dtype=np.float64)  # None becomes NaN
    tokens = np.array([text.tokens for text in texts], dtype=np.float64)
    return {
        "guide": guide,
        "judge": judge,
        "win_guide": wins(guide, turn.base_guide),
        "win_judge": wins(judge, np.nan if turn.base_judge is None else turn.base_judge),
        "tokens": tokens,
        "answer_tokens": tokens,
        "answer_characters": np.array([len(text.text) for text in texts], dtype=np.float64),
    }


def wins(scores: Doubles, against: float) -> Doubles:
    """1 where the score is higher, ½ where equal, 0 where lower, NaN where either is."""
    return (np.sign(scores - against) + 1) / 2


def over_turns(turns: Sequence[Measures]) -> Measures:
    """Means over turns; of tokens the sum."""
    return {
        measure: np.asarray((np.sum if measure == "tokens" else np.mean)([turn[measure] for turn in turns], axis=0))
        for measure in turns[0]
    }


def by_question(rows: Sequence[Row], measured: Callable[[Row], Measures]) -> tuple[tuple[str, ...], Measures]:
    """The questions, and `measured` averaged over a question's rows (its seeds), of shape (…, questions)."""
    of_question: dict[str, list[Measures]] = {}
    for row in rows:
        of_question.setdefault(row.question, []).append(measured(row))
    means = [
        {measure: np.mean([values[measure] for values in seeds], axis=0) for measure in seeds[0]}
        for seeds in of_question.values()
    ]
    return tuple(of_question), {measure: np.stack([mean[measure] for mean in means], axis=-1) for measure in means[0]}


def busy_seconds(rows: Sequence[Row]) -> float:
    """Seconds during which at least one of the rows was being answered: the length of the intervals' union."""
    busy, until = 0.0, -np.inf
    for start, end in sorted((turn.started_at, turn.finished_at) for row in rows for turn in row.turns):
        busy += max(0.0, end - max(start, until))
        until = max(until, end)
    return float(busy)
