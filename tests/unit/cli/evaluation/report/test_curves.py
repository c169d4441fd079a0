from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.evaluation.report.curves import best_of, curve, weights
from cli.evaluation.rows import Candidate
from tests.unit.cli.evaluation.report.synthetic import World, row, turn

SCORES = st.lists(st.tuples(st.integers(-5, 5), st.integers(-9, 9)), min_size=1, max_size=7)


@given(scores=SCORES, data=st.data())
def test_the_expectation_is_the_mean_over_all_subsets(scores: list[tuple[int, int]], data: st.DataObject) -> None:
    candidates = tuple(Candidate(text=f"{i}", guide=g, judge=j, tokens=10) for i, (g, j) in enumerate(scores))
    n = data.draw(st.integers(1, len(candidates)))
    subsets = list(combinations(candidates, n))
    best = [max(subset, key=lambda candidate: candidate.guide) for subset in subsets]
    found = best_of(turn(candidates=candidates), len(candidates))
    assert found["guide"][n - 1] == pytest.approx(np.mean([candidate.guide for candidate in best]))
    assert found["judge"][n - 1] == pytest.approx(np.mean([candidate.judge or 0.0 for candidate in best]))
    assert found["tokens"][n - 1] == pytest.approx(10 * n)


@given(size=st.integers(1, 40))
def test_some_candidate_is_the_best(size: int) -> None:
    chances = weights(size, size)
    assert chances.sum(axis=1) == pytest.approx(np.ones(size))
    assert chances[-1, 0] == 1


def test_the_curve_ends_at_the_fewest_candidates() -> None:
    three, two = ([Candidate(text=f"{i}", guide=i, tokens=10) for i in range(size)] for size in (3, 2))
    rows = [
        row(turn(candidates=tuple(three)), question="1", method="best-of-n"),
        row(turn(candidates=tuple(two)), question="2", method="best-of-n"),
    ]
    found = curve({"best-of-n": rows}, "best-of-n", {"best-of-n": 6.0})
    assert found is not None
    assert found.largest == 2
    assert found.tokens(["1", "2"]).tolist() == [10, 20]


def test_seconds_are_in_proportion_to_tokens() -> None:
    rows = World().best_of_n(4)
    found = curve({"best-of-n mutants=3": rows}, "best-of-n", {"best-of-n mutants=3": 8.0})
    assert found is not None
    assert found.seconds == pytest.approx([2, 4, 6, 8])


def test_without_candidates_there_is_no_curve() -> None:
    assert curve({"darwin": [row(turn())]}, "best-of-n", {"darwin": 1.0}) is None
