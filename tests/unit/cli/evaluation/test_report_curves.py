"""Best-of-n derived from candidates, against enumeration of every subset."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.evaluation.report.cells import busy_seconds, cell
from cli.evaluation.report.curves import best_of, curve, weights
from cli.evaluation.rows import Candidate, Row
from tests.unit.cli.evaluation.synthetic import World, row, turn

_SCORES = st.integers(-3, 3).map(float)  # few values, so that ties are common
_CANDIDATES = st.lists(st.tuples(_SCORES, _SCORES, st.integers(1, 50)), min_size=1, max_size=7)


def _drawn(scores: list[tuple[float, float, int]]) -> tuple[Candidate, ...]:
    return tuple(Candidate(text="x" * length, guide=g, judge=j, tokens=length) for g, j, length in scores)


@settings(deadline=None)
@given(_CANDIDATES)
def test_every_n_equals_the_mean_over_all_subsets(scores: list[tuple[float, float, int]]) -> None:
    candidates = _drawn(scores)
    derived = best_of(turn(candidates=candidates, base_guide=0.0, base_judge=0.0), len(candidates))
    for n in range(1, len(candidates) + 1):
        # max takes the first of equals
        best = [max(subset, key=lambda each: each.guide) for subset in combinations(candidates, n)]
        assert derived["guide"][n - 1] == pytest.approx(np.mean([each.guide for each in best]))
        assert derived["judge"][n - 1] == pytest.approx(np.mean([each.judge for each in best]))
        assert derived["answer_characters"][n - 1] == pytest.approx(np.mean([len(each.text) for each in best]))
        oracle = [max(each.judge for each in subset) for subset in combinations(candidates, n)]
        assert derived["oracle"][n - 1] == pytest.approx(np.mean(oracle))
        won = [(np.sign(each.judge or 0.0) + 1) / 2 for each in best]
        assert derived["win_judge"][n - 1] == pytest.approx(np.mean(won))
        assert derived["tokens"][n - 1] == pytest.approx(n * np.mean([each.tokens for each in candidates]))


@settings(deadline=None)
@given(st.integers(1, 40))
def test_chances_of_ranks_sum_to_one(candidates: int) -> None:
    chances = weights(candidates, candidates)
    assert chances.sum(axis=1) == pytest.approx(np.ones(candidates))
    assert chances[0] == pytest.approx(np.full(candidates, 1 / candidates))
    assert chances[-1, 0] == 1.0


def test_only_what_depends_on_an_unjudged_candidate_is_unknown() -> None:
    best = Candidate(text="a", guide=2.0, judge=5.0, tokens=10)
    rest = (Candidate(text="b", guide=1.0, judge=3.0, tokens=10), Candidate(text="c", guide=0.0, tokens=10))
    derived = best_of(turn(candidates=(*rest, best)), 3)
    # Of two of the three, the worst is never the best.
    assert derived["judge"] == pytest.approx([np.nan, (2 * 5 + 3) / 3, 5.0], nan_ok=True)
    assert np.isnan(derived["oracle"]).all()


def test_the_oracle_of_a_population_is_the_judges_own_pick() -> None:
    finals = tuple(Candidate(text=str(judge), guide=-judge, judge=judge, tokens=1) for judge in (1.0, 4.0, 2.0))
    searched = [row(turn(answer="1.0", judge=1.0, population=finals), question="1")]
    assert cell(searched, 1.0).values["oracle"] == pytest.approx([4.0])
    assert np.isnan(cell([row(turn(judge=1.0))], 1.0).values["oracle"]).all()


def test_the_curve_ends_where_the_first_question_runs_out_and_averages_turns_and_seeds() -> None:
    three = _drawn([(0.0, 0.0, 10), (1.0, 1.0, 10), (2.0, 2.0, 10)])
    rows = [
        row(turn(candidates=three, tokens=30), turn(candidates=three, tokens=30), question="1", method="best-of-n"),
        row(turn(candidates=three[:2], tokens=20), question="2", method="best-of-n"),
        row(turn(candidates=three[1:], tokens=20), question="2", method="best-of-n", seed=1),
    ]
    derived = curve({"best-of-n": rows}, "best-of-n", {"best-of-n": 4.0})
    assert derived is not None
    assert derived.largest == 2
    assert derived.questions == ("1", "2")
    assert derived.values["guide"][0] == pytest.approx([1.0, (0.5 + 1.5) / 2])
    assert derived.values["guide"][1] == pytest.approx([5 / 3, (1.0 + 2.0) / 2])
    assert derived.values["tokens"][:, 0] == pytest.approx([20.0, 40.0])  # two turns
    assert derived.values["tokens"][:, 1] == pytest.approx([10.0, 20.0])
    assert derived.seconds == pytest.approx([4.0 * 15 / 40, 4.0 * 30 / 40])


def test_the_cell_with_the_most_candidates_gives_the_curve() -> None:
    world = World(questions=4)
    cells = {rows[0].cell: rows for rows in (world.best_of_n(3), world.best_of_n(6), world.cell("darwin"))}
    derived = curve(cells, "best-of-n", dict.fromkeys(cells, 1.0))
    assert derived is not None
    assert (derived.source, derived.largest) == ("best-of-n mutants=5", 6)
    measured = cell(cells[derived.source], 1.0)
    assert derived.at(6).values["judge"] == pytest.approx(measured.values["judge"])
    assert curve(cells, "sample", dict.fromkeys(cells, 1.0)) is None


def test_busy_seconds_are_the_union_of_intervals() -> None:
    def at(start: float, end: float) -> Row:
        return row(turn(started_at=start, finished_at=end))

    assert busy_seconds([at(0, 10), at(2, 3), at(5, 12), at(100, 101), at(12, 13)]) == 14.0
