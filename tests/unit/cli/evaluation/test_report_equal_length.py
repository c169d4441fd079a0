"""Comparisons at equal length, intervals that hold together, and what may be claimed."""

from itertools import combinations

import numpy as np
import pytest

from cli.evaluation.report.cells import cell
from cli.evaluation.report.comparisons import FORMS, Comparison, compare_all
from cli.evaluation.report.curves import curve
from cli.evaluation.report.matching import matched
from cli.evaluation.report.statistics import Bootstrap, Interval
from cli.evaluation.report.weakest import claims, weakest
from cli.evaluation.rows import Candidate, Row
from tests.unit.cli.evaluation.synthetic import World, row, text, turn

_BOOTSTRAP = Bootstrap(resamples=500)


def _compared(best_of_n: list[Row], *cells: list[Row]) -> tuple[Comparison, ...]:
    source = best_of_n[0].cell
    derived = curve({source: best_of_n}, "best-of-n", {source: 4.0})
    assert derived is not None
    measured = [cell(rows, 1.0) for rows in cells]
    return compare_all(measured, derived, "equal tokens", {each.question: "" for each in best_of_n}, _BOOTSTRAP)


def test_matched_candidates_are_the_best_of_n_of_those_of_about_the_length() -> None:
    drawn = [(100, 1.0, 5.0), (95, 3.0, 2.0), (109, 2.0, 7.0), (111, 9.0, 0.0), (50, 8.0, 0.0)]
    candidates = tuple(Candidate(text=text(length), guide=g, judge=j, tokens=1) for length, g, j in drawn)
    mine = [row(turn(answer=text(100), judge=6.0), question="q")]
    others = [row(turn(candidates=candidates), question="q", method="best-of-n")]
    close = candidates[:3]
    for n in (1, 2, 3, 4):
        subsets = list(combinations(close, min(n, 3)))
        best = [max(subset, key=lambda each: each.guide) for subset in subsets]
        found = matched(mine, others, ["q"], n)
        assert found.judge[0] == pytest.approx(6 - np.mean([each.judge for each in best]))
        assert found.characters[0] == pytest.approx(100 - np.mean([len(each.text) for each in best]))
        assert (found.candidates[0], found.far[0]) == (3, 0)


def test_where_no_candidate_is_close_the_nearest_is_taken_and_counted() -> None:
    candidates = tuple(Candidate(text=text(n), guide=1.0, judge=float(n), tokens=1) for n in (50, 70, 200))
    mine = [row(turn(answer=text(100), judge=100.0), question="q")]
    found = matched(mine, [row(turn(candidates=candidates), question="q", method="best-of-n")], ["q"], 3)
    assert (found.judge[0], found.characters[0], found.candidates[0], found.far[0]) == (30, 30, 0, 1)


def test_candidates_are_those_of_the_same_seed_where_there_are_any() -> None:
    def sampled(judge: float, seed: int) -> Row:
        drawn = (Candidate(text=text(100), guide=0.0, judge=judge, tokens=1),)
        return row(turn(candidates=drawn), question="q", method="best-of-n", seed=seed)

    mine = [row(turn(answer=text(100), judge=0.0), question="q", seed=seed) for seed in (1, 7)]
    others = [sampled(1.0, 0), sampled(3.0, 1)]
    assert matched(mine[:1], others, ["q"], 1).judge[0] == -3
    assert matched(mine[1:], others, ["q"], 1).judge[0] == -2
    assert matched(mine, others, ["q"], 1).judge[0] == pytest.approx(-(3 + 1 + 3) / 3)


def test_a_gain_that_is_length_alone_is_seen_through_both_ways() -> None:
    world = World(questions=80, agreement=0.0, per_character=0.005)
    (longer,) = _compared(world.best_of_n(32), world.cell("darwin", longer=150))
    assert longer.judge is not None
    assert longer.judge.value == pytest.approx(0.75, abs=0.25)
    assert longer.judge.excludes_zero
    for form in ("judge_at_equal_length", "judge_at_matched_length"):
        assert not longer.corrected[form].excludes_zero  # type: ignore[index]
    assert longer.characters == pytest.approx(150, abs=50)
    assert abs(longer.characters_matched) < 60
    assert longer.matches > 1


def test_a_gain_that_is_not_length_stays() -> None:
    world = World(questions=80, agreement=1.0)
    (better,) = _compared(world.best_of_n(32), world.cell("darwin", lift=2.0, longer=50))
    for form in FORMS:
        assert better.corrected[form].excludes_zero
        assert better.corrected[form].value > 1


def test_one_cell_alone_needs_no_correction_and_equal_cells_no_more() -> None:
    values = np.random.default_rng(1).normal(0.5, 1.0, (3, 50))
    (alone,) = _BOOTSTRAP.simultaneous(values[:1])
    plain = _BOOTSTRAP.mean(values[0])
    assert alone is not None
    assert plain is not None
    assert alone.value == pytest.approx(plain.value)
    assert alone.low == pytest.approx(plain.low, abs=0.05)
    assert alone.high == pytest.approx(plain.high, abs=0.05)
    assert _BOOTSTRAP.simultaneous(values[[0, 0, 0]])[2] == pytest.approx(alone)
    wider = _BOOTSTRAP.simultaneous(values)[0]
    assert wider is not None
    # Of three independent ones the quantile is that of |z| at 1 - .05/3, 2.39 where one alone has 1.96.
    assert _width(wider) / _width(alone) == pytest.approx(2.39 / 1.96, abs=0.12)


def test_intervals_that_hold_together_cover_together() -> None:
    random = np.random.default_rng(2)
    bootstrap = Bootstrap(resamples=300)
    covered = 0
    for _ in range(60):
        found = bootstrap.simultaneous(random.normal(0.0, 1.0, (8, 60)))
        covered += all(each is not None and (each.low or 0) <= 0 <= (each.high or 0) for each in found)
    assert covered >= 51  # 57 expected; each for itself, eight of them would cover together in 40 of 60


def test_what_is_unknown_is_left_out_of_intervals_that_hold_together() -> None:
    values = np.array([[1.0, np.nan, 2.0, 3.0], [np.nan] * 4, [5.0, np.nan, np.nan, np.nan]])
    first, second, third = _BOOTSTRAP.simultaneous(values)
    assert first is not None
    assert (first.value, first.questions) == (2.0, 3)
    assert second is None
    assert third is not None
    assert (third.value, third.low) == (5.0, None)


def test_the_corrected_regression_is_that_of_the_plain_one() -> None:
    random = np.random.default_rng(3)
    lengths = random.normal(20, 50, 60)
    differences = 0.02 * lengths + random.normal(0, 0.3, 60)
    (found,) = _BOOTSTRAP.simultaneous(differences[None], lengths[None])
    plain = _BOOTSTRAP.at_equal_length(differences, lengths)
    assert found is not None
    assert plain is not None
    assert found.value == pytest.approx(plain.value)
    assert _width(found) == pytest.approx(_width(plain), rel=0.15)


def test_a_corrected_interval_is_never_narrower_than_the_plain_one() -> None:
    """Lengths that nearly all differ in one direction: the regression extrapolates, and what is drawn is skewed."""
    world = World(questions=40, agreement=0.3, per_character=0.02)
    for found in _compared(world.best_of_n(8), world.cell("darwin", longer=400), world.cell("mutation-only")):
        for form in FORMS:
            plain, corrected = getattr(found, form), found.corrected[form]
            assert corrected.low <= plain.low <= plain.high <= corrected.high
    skewed = Interval(0.1, -0.4, 0.7, 9).around(Interval(0.1, -1.0, 0.3, 9))
    assert (skewed.low, skewed.high) == (-1.0, 0.7)


def test_the_weakest_comparison_is_named_and_decides_what_is_claimed() -> None:
    world = World(questions=60, agreement=1.0)
    good = _compared(world.best_of_n(8), world.cell("darwin", lift=3.0), world.cell("mutation-only"))
    length = World(questions=60, agreement=0.0, per_character=0.01)
    by_length = _compared(length.best_of_n(8), length.cell("darwin", longer=-200), length.cell("mutation-only"))
    found = weakest({"good": good, "length": by_length})
    assert [each.cell for each in found] == ["darwin", "mutation-only"]
    lowest = found[0]
    assert (lowest.judge, lowest.form, lowest.verdict) == ("length", "judge", "worse")
    assert lowest.corrected == by_length[0].corrected["judge"]
    (sentence,) = claims(found, "best-of-n")
    assert sentence.startswith("At equal compute no cell is shown to be better than best-of-n")
    (alone,) = claims(weakest({"good": good[:1]}), "best-of-n")
    assert alone.startswith("At equal compute darwin is shown")


def _width(interval: Interval) -> float:
    assert interval.low is not None
    assert interval.high is not None
    return interval.high - interval.low
