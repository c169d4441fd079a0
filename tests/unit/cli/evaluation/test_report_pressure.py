"""Where the judge peaks, and how it goes with pressure: against known answers."""

import numpy as np
import pytest
from scipy.integrate import quad

from cli.evaluation.report.cells import Doubles, cell
from cli.evaluation.report.curves import Curve, curve
from cli.evaluation.report.hedging import (
    chances_of_n,
    chances_of_poisson,
    hedge_figures,
    judged_samples,
    peak,
    pessimistic,
    pressures,
    soft,
)
from cli.evaluation.report.pressure import slopes
from cli.evaluation.report.statistics import Bootstrap
from cli.evaluation.rows import Candidate, Row
from tests.unit.cli.evaluation.synthetic import World, row, turn

_BOOTSTRAP = Bootstrap(resamples=300)
_RANKS = 4000


def _judge(u: Doubles) -> Doubles:
    """Rises with the guide's quantile u, and falls near its end."""
    return np.asarray(u - 0.9 * u**8)


def _curve(rows: list[Row]) -> Curve:
    derived = curve({rows[0].cell: rows}, "best-of-n", {rows[0].cell: 1.0})
    assert derived is not None
    return derived


def _hacked(questions: int = 40, candidates: int = 32) -> list[Row]:
    """Guides 1 … N in some order, the judge's score as `_judge` has it at the quantile."""
    random = np.random.default_rng(0)
    rows = []
    for number in range(questions):
        ranks = random.permutation(candidates) + 1
        judged = _judge((ranks - 0.5) / candidates) + 0.1 * random.normal(size=candidates)
        drawn = tuple(
            Candidate(text=f"{rank} text", guide=float(rank), judge=float(score), tokens=10)
            for rank, score in zip(ranks, judged, strict=True)
        )
        rows.append(row(turn(candidates=drawn), question=str(number), method="best-of-n"))
    return rows


def test_the_chances_of_every_rule_sum_to_one() -> None:
    guide = np.random.default_rng(1).normal(size=(5, 9))
    for parameter in (0.3, 1.0, 3.1585, 20.0):
        assert chances_of_n(parameter, 50).sum() == pytest.approx(1.0)
        assert chances_of_poisson(parameter, 50).sum() == pytest.approx(1.0)
        for rule in (soft, pessimistic):
            assert rule(guide, parameter).sum(axis=1) == pytest.approx(np.ones(5))


def test_the_chances_are_those_of_the_densities() -> None:
    n, mean, ranks = 3.7, 2.2, 6
    for place in range(ranks):
        low, high = place / ranks, (place + 1) / ranks
        assert chances_of_n(n, ranks)[place] == pytest.approx(quad(lambda u: n * u ** (n - 1), low, high)[0])
        density = quad(lambda u: (1 + mean * u) * np.exp(mean * (u - 1)), low, high)[0]
        assert chances_of_poisson(mean, ranks)[place] == pytest.approx(density)


def test_the_judge_peaks_where_the_score_function_says() -> None:
    at_rank = _judge((np.arange(_RANKS) + 0.5) / _RANKS)
    best_n = peak(lambda n: float(at_rank @ chances_of_n(n, _RANKS)), np.geomspace(1, 32, 40).tolist())
    assert best_n == pytest.approx((8 - np.sqrt(7.2)) / (np.sqrt(7.2) - 1), abs=1e-3)
    assert best_n == pytest.approx(3.1585, abs=1e-3)
    mean = peak(lambda mu: float(at_rank @ chances_of_poisson(mu, _RANKS)), np.linspace(0, 31, 60).tolist())

    def slope(u: float) -> float:
        density = (1 + mean * u) * np.exp(mean * (u - 1))
        return float(_judge(np.array(u)) * ((u - 1) + u / (1 + mean * u)) * density)

    assert quad(slope, 0, 1)[0] == pytest.approx(0, abs=1e-4)


def test_pessimism_is_the_sparsemax() -> None:
    guide = np.array([[0.9, 1.0, 0.0, 0.5]])
    assert pessimistic(guide, 0.05)[0] == pytest.approx([0.25, 0.75, 0, 0])
    assert pessimistic(guide, 0.2)[0] == pytest.approx([0.4375, 0.5625, 0, 0])
    assert pessimistic(guide, 1.0)[0] == pytest.approx([0.325, 0.35, 0.1, 0.225])
    assert pessimistic(guide, 1e-6)[0] == pytest.approx([0, 1, 0, 0])
    assert soft(guide, 1e-3)[0] == pytest.approx([0, 1, 0, 0])


def test_a_guide_that_is_hacked_is_told_where() -> None:
    found = {each.rule: each for each in hedge_figures(_curve(_hacked()), _BOOTSTRAP)}
    assert found["best-of-n"].optimum.value == pytest.approx(3.16, abs=0.4)
    low, high = found["best-of-n"].optimum.low, found["best-of-n"].optimum.high
    assert low is not None
    assert high is not None
    assert low <= 3.16 <= high
    for each in found.values():
        assert each.edge == ""
        assert each.lost is not None
        assert each.lost.excludes_zero
        assert each.judge is not None
        # The judge of best-of-n* is n/(n + 1) - 0.9 n/(n + 8); what draws by u alone cannot do much better.
        assert each.judge.value == pytest.approx(0.505, abs=0.06)


def test_a_guide_that_the_judge_follows_is_not_held_back() -> None:
    world = World(questions=30, agreement=1.0)
    (best_of_n, *_) = hedge_figures(_curve(world.best_of_n(16)), _BOOTSTRAP)
    assert (best_of_n.edge, best_of_n.optimum.value) == ("most", 16.0)
    assert hedge_figures(_curve(World(questions=4, judged=False).best_of_n(4)), _BOOTSTRAP) == ()
    assert hedge_figures(None, _BOOTSTRAP) == ()
    drawn = tuple(Candidate(text=str(n), guide=float(n), judge=1.0, tokens=1) for n in range(4))
    indifferent = [row(turn(candidates=drawn), question=str(n), method="best-of-n") for n in range(3)]
    assert hedge_figures(_curve(indifferent), _BOOTSTRAP) == ()


def test_candidates_rank_by_the_guide_within_their_turn() -> None:
    drawn = tuple(Candidate(text=t, guide=g, judge=j, tokens=1) for t, g, j in (("a", 2, 1), ("b", 1, 5), ("c", 2, 9)))
    samples = judged_samples(_curve([row(turn(candidates=drawn), method="best-of-n")]))
    assert samples is not None
    # Of equals the earlier is taken, so it is the highest.
    assert samples.judge.tolist() == [[5, 9, 1]]


def test_cells_press_as_hard_as_the_n_of_their_quantile() -> None:
    plain = _hacked()
    derived = _curve(plain)
    hedged = hedge_figures(derived, _BOOTSTRAP)

    def answered(guide: float) -> list[Row]:
        return [row(turn(guide=guide), question=each.question, setting={"guide": guide}) for each in plain]

    cells = [cell(rows, 1.0) for rows in (answered(24.5), answered(99.0), answered(2.5))]
    mild, hard, soft_ = pressures(cells, derived, hedged, _BOOTSTRAP)
    assert mild.n.value == pytest.approx(3.0)  # ¾ of the candidates are below
    assert hard.n.value == pytest.approx(32.0)
    assert (hard.beyond, soft_.beyond) == ("beyond", "below")


def test_the_slope_is_per_doubling_of_pressure() -> None:
    world = World(questions=40, agreement=1.0)
    best_of_n = world.best_of_n(32)
    long_, short = world.cell("darwin", {"period": 40, "cycles": 1}), world.cell("darwin", {"period": 10, "cycles": 1})
    short = [
        each.model_copy(
            update={
                "turns": tuple(
                    mine.model_copy(update={"guide": other.guide + 3, "judge": (other.judge or 0) - 1})
                    for mine, other in zip(each.turns, theirs.turns, strict=True)
                )
            }
        )
        for each, theirs in zip(short, long_, strict=True)
    ]
    cells = [cell(rows, 1.0) for rows in (best_of_n, long_, short, world.cell("darwin"))]
    of_n, of_period = slopes(cells, _curve(best_of_n), _BOOTSTRAP)
    assert (of_n.cell, of_n.change) == ("best-of-n", "n 8 → 32")
    assert of_n.judge is not None
    # Expected maxima of 8 and 32 normal samples are 1.424 and 2.070.
    assert of_n.judge.value == pytest.approx((2.070 - 1.424) / 2, abs=0.15)
    assert (of_period.cell, of_period.change) == ("darwin cycles=1", "period 40 → 10")
    assert of_period.guide is not None
    assert of_period.guide.value == pytest.approx(1.5)
    assert of_period.judge is not None
    assert of_period.judge.value == pytest.approx(-0.5)
