"""Intervals, length control and comparisons recover what was planted."""

import numpy as np
import pytest

from cli.evaluation.report.cells import MeasuredCell, cell
from cli.evaluation.report.comparisons import Comparison, Compute, compare
from cli.evaluation.report.curves import curve
from cli.evaluation.report.gains import samples
from cli.evaluation.report.lengths import length_figures
from cli.evaluation.report.statistics import Bootstrap, spearman
from cli.evaluation.rows import Candidate, Row
from tests.unit.cli.evaluation.synthetic import World, row, text, turn

_BOOTSTRAP = Bootstrap(resamples=500)


def _compared(
    rows: list[Row], best_of_n: list[Row], compute: Compute = "equal tokens", seconds: float = 1
) -> Comparison:
    source = best_of_n[0].cell
    derived = curve({source: best_of_n}, "best-of-n", {source: 4.0})
    assert derived is not None
    categories = {each.question: each.category for each in [*rows, *best_of_n]}
    found = compare(cell(rows, seconds), derived, compute, categories, _BOOTSTRAP)
    assert found is not None
    return found


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    random = np.random.default_rng(1)
    intervals = [_BOOTSTRAP.mean(random.normal(0.3, 1.0, 60)) for _ in range(100)]
    covered = sum(
        each is not None and each.low is not None and each.low <= 0.3 <= (each.high or 0) for each in intervals
    )
    assert 88 <= covered <= 100


def test_an_interval_is_the_same_whatever_was_computed_before() -> None:
    values = np.random.default_rng(2).normal(size=30)
    first = _BOOTSTRAP.mean(values)
    _BOOTSTRAP.mean(values[:10])
    assert _BOOTSTRAP.mean(values) == first
    assert Bootstrap(resamples=500, seed=1).mean(values) != first


def test_what_is_unknown_is_left_out() -> None:
    known = _BOOTSTRAP.mean(np.array([1.0, np.nan, 2.0, 3.0]))
    assert known is not None
    assert (known.value, known.questions) == (2.0, 3)
    alone = _BOOTSTRAP.mean(np.array([1.0, np.nan]))
    assert alone is not None
    assert (alone.value, alone.low, alone.high, alone.excludes_zero) == (1.0, None, None, False)
    assert _BOOTSTRAP.mean(np.array([np.nan])) is None


def test_a_pure_length_effect_vanishes_at_equal_length() -> None:
    random = np.random.default_rng(3)
    lengths = random.normal(150, 200, 80)
    only_length = np.tanh(lengths / lengths.std()) + random.normal(0, 0.2, 80)
    raw, controlled = _BOOTSTRAP.mean(only_length), _BOOTSTRAP.at_equal_length(only_length, lengths)
    assert raw is not None
    assert raw.excludes_zero
    assert controlled is not None
    assert not controlled.excludes_zero
    assert abs(controlled.value) < 0.1
    better = _BOOTSTRAP.at_equal_length(only_length + 0.7, lengths)
    assert better is not None
    assert better.excludes_zero
    assert better.value == pytest.approx(0.7, abs=0.1)


def test_with_equal_lengths_length_control_changes_nothing() -> None:
    differences = np.random.default_rng(4).normal(0.5, 1, 20)
    controlled = _BOOTSTRAP.at_equal_length(differences, np.full(20, 50.0))
    assert controlled is not None
    assert controlled.value == pytest.approx(differences.mean())


def test_spearman_needs_something_that_varies() -> None:
    assert spearman(np.array([1.0, 2.0, 3.0, 9.0]), np.array([2.0, 4.0, 5.0, np.nan])) == pytest.approx(1.0)
    assert spearman(np.array([1.0, 2.0, 3.0]), np.ones(3)) is None
    assert spearman(np.array([1.0, 2.0]), np.array([1.0, 2.0])) is None


def test_a_planted_difference_is_found_and_none_is_not() -> None:
    world = World(questions=60, agreement=1.0)
    best_of_n = world.best_of_n(8)
    better = _compared(world.cell("darwin", lift=2.5, tokens=400), best_of_n)
    assert (better.n, better.short, better.questions) == (2, False, 60)
    for interval in (better.guide, better.judge, better.judge_at_equal_length):
        assert interval is not None
        assert interval.excludes_zero
        # the best of two normal samples is 1/√π better than one
        assert interval.value == pytest.approx(2.5 - 1 / np.sqrt(np.pi), abs=0.5)
    same = _compared(world.cell("sample", tokens=200), best_of_n)
    assert same.n == 1
    assert same.guide is not None
    assert not same.guide.excludes_zero
    assert set(same.categories) == {
        "coding",
        "extraction",
        "humanities",
        "math",
        "reasoning",
        "roleplay",
        "stem",
        "writing",
    }


@pytest.mark.parametrize(
    ("compute", "tokens", "n", "short"),
    [
        ("equal tokens", 600, 3, False),
        ("equal tokens", 601, 4, False),
        ("twice the tokens", 600, 6, False),
        ("twice the tokens", 900, 8, True),
        ("equal seconds", 200, 7, False),  # eight cost 4 s, the cell takes 3.2 s
    ],
)
def test_compute_is_matched_by_the_smallest_n_that_costs_as_much(
    compute: Compute, tokens: int, n: int, short: bool
) -> None:
    world = World(questions=5)
    found = _compared(world.cell("darwin", tokens=tokens), world.best_of_n(8), compute, seconds=3.2)
    assert (found.n, found.short) == (n, short)


def test_only_questions_that_both_have_are_compared() -> None:
    world = World(questions=10)
    rows, best_of_n = world.cell("darwin"), world.best_of_n(4)
    found = _compared(rows[:6], best_of_n[4:])
    assert found.questions == 2
    assert found.guide is not None
    assert found.guide.low is None
    source = best_of_n[0].cell
    derived = curve({source: best_of_n[8:]}, "best-of-n", {source: 1.0})
    assert derived is not None
    assert compare(cell(rows[:2], 1.0), derived, "equal tokens", {}, _BOOTSTRAP) is None


def test_seeds_are_averaged_within_their_question() -> None:
    rows = [
        row(turn(guide=1.0), question="1"),
        row(turn(guide=3.0), question="1", seed=1),
        row(turn(guide=5.0), turn(guide=7.0), question="2"),
    ]
    made: MeasuredCell = cell(rows, 1.0)
    assert made.questions == ("1", "2")
    assert made.values["guide"] == pytest.approx([2.0, 6.0])
    assert made.values["tokens"] == pytest.approx([100.0, 200.0])
    assert made.values["win_guide"] == pytest.approx([1.0, 1.0])
    assert np.isnan(made.values["judge"]).all()


def test_a_judge_that_likes_length_is_told_from_a_guide_that_does_not() -> None:
    rows = World(questions=20, agreement=0.2, per_character=0.01).best_of_n(8)
    judge, guide = (length_figures(rows, scorer, _BOOTSTRAP) for scorer in ("judge", "guide"))
    assert judge.texts == guide.texts == 160
    assert judge.within_question is not None
    assert judge.within_question > 0.8
    assert judge.longer_candidate is not None
    assert judge.longer_candidate.value > 0.8
    assert guide.longer_candidate is not None
    assert guide.longer_candidate.value == pytest.approx(0.5, abs=0.1)


def test_pairs_of_equal_score_count_half_and_of_equal_length_not_at_all() -> None:
    drawn = tuple(Candidate(text=text(length), guide=guide, tokens=1) for length, guide in ((5, 1), (5, 2), (9, 2)))
    found = length_figures([row(turn(candidates=drawn, answer=text(9)))], "guide", _BOOTSTRAP)
    assert found.longer_candidate is not None
    assert found.longer_candidate.value == pytest.approx((1 + 0.5) / 2)


def test_gains_are_in_deviations_of_samples_of_one_question() -> None:
    world = World(questions=60, agreement=1.0)
    best_of_n, lifted = world.best_of_n(16), world.cell("darwin", lift=2.0)
    plain = samples([*best_of_n, *lifted], best_of_n[0].cell)
    assert plain is not None
    gain = plain.gain(cell(lifted, 1.0), _BOOTSTRAP)
    assert gain.guide is not None
    assert gain.guide.value == pytest.approx(2.0, abs=0.35)
    assert gain.judge is not None
    assert gain.judge.value == pytest.approx(2.0 / np.sqrt(1 + 0.5**2), abs=0.35)
    assert gain.divergence is not None
    assert gain.divergence.value == pytest.approx(gain.guide.value - gain.judge.value)


def test_without_best_of_n_the_base_responses_are_the_samples() -> None:
    world = World(questions=5)
    once, again = world.cell("darwin"), world.cell("darwin", {"cycles": 2})
    assert samples(once, None) is None
    assert samples([*once, *again], None) is not None
