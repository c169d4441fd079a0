"""How far the guide may be pressed before the judge turns: HedgeTune (arXiv 2506.19248), from judged candidates.

u is the quantile of the guide among the plain samples of one question, r(u) the judge's score of the sample there: the
mean over questions at each rank of N, constant between two ranks (as if drawn with replacement: best-of-N then misses
the first rank now and then). Each rule draws u from a density of one parameter,
and what the judge then expects is largest where E[r(u) ψ(u)] = 0, ψ the derivative of the density's logarithm:

best-of-n         density n uⁿ⁻¹, ψ = 1/n + ln u
best-of-Poisson   n = 1 + Pois(μ): density (1 + μu) e^(μ(u-1)), ψ = (u - 1) + u/(1 + μu)
soft best-of-N    candidate i of N with chance ∝ e^(guide/λ)
pessimism         candidate i with chance max(0, guide - c)/(Nβ), which sum to 1 (arXiv 2503.21878)

λ and β are in units of the guide; the smaller they are, the more they press.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, overload

import numpy as np
from scipy.optimize import minimize_scalar

from cli.evaluation.report.cells import Doubles, MeasuredCell
from cli.evaluation.report.curves import Curve
from cli.evaluation.report.statistics import Bootstrap, Interval
from cli.evaluation.rows import Row

RuleName = Literal["best-of-n", "best-of-Poisson", "soft best-of-N", "pessimism"]
Edge = Literal["", "least", "most"]
_POINTS = 120


@dataclass(frozen=True)
class HedgeFigures:
    """Where the judge peaks under one rule.

    `optimum` is the parameter's value there; `edge` says that it is the least or the most pressure that was looked at.
    `judge` is the judge's score there and `judge_pressed` under the most pressure, `lost` the first less the second,
    which is 0 or more by how the optimum is found.
    """

    rule: RuleName
    parameter: str
    optimum: Interval
    edge: Edge
    judge: Interval | None
    judge_pressed: Interval | None
    lost: Interval | None


@dataclass(frozen=True)
class PressureOfCell:
    """How far a cell presses: the n of best-of-n whose answers stand at the same mean quantile of the guide.

    It is N at most. `beyond` compares it with n*: whether their intervals lie apart, and which way.
    """

    cell: str
    n: Interval
    beyond: Literal["beyond", "below", "cannot be told"]


@dataclass(frozen=True, eq=False)
class Samples:
    """Judged plain samples: `guide` and `judge` [groups, N] in rising order of the guide, `owner` [groups] the place of
    each group's question among `questions`. A group is one turn of one row."""

    questions: tuple[str, ...]
    owner: Doubles
    guide: Doubles
    judge: Doubles

    def by_question(self, values: Doubles) -> Doubles:
        """Means [questions, …] of values [groups, …]."""
        return np.stack([values[self.owner == place].mean(axis=0) for place in range(len(self.questions))])


def judged_samples(curve: Curve) -> Samples | None:
    """The candidates behind the curve, the first N of each; None where any of them was not judged or N is 1."""
    order: dict[str, int] = {}
    owner, scores = [], []
    for row in curve.rows:
        for turn in row.turns:
            drawn = turn.candidates[: curve.largest]
            # Of equals the earlier is taken, and so it ranks higher.
            ranked = sorted(drawn, key=lambda candidate: candidate.guide, reverse=True)[::-1]
            owner.append(order.setdefault(row.question, len(order)))
            scores.append([(each.guide, np.nan if each.judge is None else each.judge) for each in ranked])
    values = np.array(scores, dtype=np.float64)
    if curve.largest < 2 or np.isnan(values).any():
        return None
    return Samples(tuple(order), np.array(owner), values[..., 0], values[..., 1])


def chances_of_n(n: float, ranks: int) -> Doubles:
    """The chance [ranks] that best-of-n falls between two ranks; they sum to 1. n need not be whole."""
    return np.asarray(np.diff(np.linspace(0, 1, ranks + 1) ** n))


def chances_of_poisson(mean: float, ranks: int) -> Doubles:
    """The same of best-of-(1 + Pois(mean))."""
    edges = np.linspace(0, 1, ranks + 1)
    return np.asarray(np.diff(edges * np.exp(mean * (edges - 1))))


def soft(guide: Doubles, temperature: float) -> Doubles:
    """The chance of each candidate, guide [groups, N], under soft best-of-N."""
    powers = np.exp((guide - guide.max(axis=1, keepdims=True)) / temperature)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def pessimistic(guide: Doubles, beta: float) -> Doubles:
    """The chance of each candidate, guide [groups, N], under pessimism: the sparsemax of guide / (Nβ)."""
    falling = -np.sort(-guide, axis=1)
    counts = np.arange(1, guide.shape[1] + 1)
    levels = (falling.cumsum(axis=1) - guide.shape[1] * beta) / counts
    taken = (falling > levels).sum(axis=1, keepdims=True)
    level = np.take_along_axis(levels, taken - 1, axis=1)
    return np.asarray(np.maximum(guide - level, 0) / (guide.shape[1] * beta))


def peak(value: Callable[[float], float], grid: Sequence[float]) -> float:
    """The argument at which `value` is largest, between the neighbours of the best point of the rising `grid`."""
    best = int(np.argmax([value(point) for point in grid]))
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    if best in (0, len(grid) - 1):
        return float(grid[best])
    found = minimize_scalar(lambda point: -value(point), bounds=(low, high), method="bounded", options={"xatol": 1e-7})
    return float(found.x)


def hedge_figures(curve: Curve | None, bootstrap: Bootstrap) -> tuple[HedgeFigures, ...]:
    """One for each rule; empty where not all candidates were judged, or guide or judge never differ in a question."""
    samples = judged_samples(curve) if curve else None
    if samples is None:
        return ()
    ranks = samples.guide.shape[1]
    spread = float(np.sqrt(samples.guide.var(axis=1, ddof=1).mean()))
    if spread == 0 or np.ptp(samples.judge, axis=1).max() == 0:
        return ()
    at_rank = samples.by_question(samples.judge)
    more = np.geomspace(1, ranks, _POINTS)
    # From the most to the least pressure in λ and β, and so turned about.
    units = np.geomspace(100, 1e-3, _POINTS) * spread
    rules: tuple[tuple[RuleName, str, Doubles, Callable[[float], Doubles]], ...] = (
        ("best-of-n", "n", more, lambda n: at_rank @ chances_of_n(n, ranks)),
        ("best-of-Poisson", "μ", more - 1, lambda mean: at_rank @ chances_of_poisson(mean, ranks)),
        ("soft best-of-N", "λ", units, lambda unit: samples.by_question(_judged(samples, soft, unit))),
        ("pessimism", "β", units, lambda unit: samples.by_question(_judged(samples, pessimistic, unit))),
    )
    return tuple(_figures(rule, parameter, grid, value, bootstrap) for rule, parameter, grid, value in rules)


def _judged(samples: Samples, rule: Callable[[Doubles, float], Doubles], unit: float) -> Doubles:
    """What the judge expects of each group, [groups]."""
    return np.asarray((rule(samples.guide, unit) * samples.judge).sum(axis=1))


def _figures(
    rule: RuleName, parameter: str, grid: Doubles, value: Callable[[float], Doubles], bootstrap: Bootstrap
) -> HedgeFigures:
    """`grid` from the least pressure to the most; `value` gives the judge's expectation by question."""
    table = np.stack([value(float(point)) for point in grid], axis=1)
    best = int(np.argmax(table.mean(axis=0)))
    rising = np.sort(grid)
    found = peak(lambda point: float(value(point).mean()), rising.tolist())
    low, high = bootstrap.quantiles(grid[bootstrap.resampled(table).argmax(axis=1)])
    known = len(table) > 2
    edge: Edge = "least" if best == 0 else "most" if best == len(grid) - 1 else ""
    at_best, pressed = value(found), table[:, -1]
    return HedgeFigures(
        rule=rule,
        parameter=parameter,
        optimum=Interval(found, low if known else None, high if known else None, len(table)),
        edge=edge,
        judge=bootstrap.mean(at_best),
        judge_pressed=bootstrap.mean(pressed),
        lost=bootstrap.mean(at_best - pressed),
    )


def pressures(
    cells: Sequence[MeasuredCell], curve: Curve | None, hedged: Sequence[HedgeFigures], bootstrap: Bootstrap
) -> tuple[PressureOfCell, ...]:
    """Of every cell but the curve's own, over the questions that both have."""
    optimum = next((each.optimum for each in hedged if each.rule == "best-of-n"), None)
    if curve is None or optimum is None:
        return ()
    plain: dict[tuple[str, int], list[float]] = {}
    for row in curve.rows:
        for index, turn in enumerate(row.turns):
            plain.setdefault((row.question, index), []).extend(each.guide for each in turn.candidates)
    made = []
    for cell in cells:
        quantiles = _quantiles(cell.rows, plain, curve.largest)
        if cell.name != curve.source and (mean := bootstrap.mean(quantiles)):
            n = Interval(_as_n(mean.value), _as_n(mean.low), _as_n(mean.high), mean.questions)
            made.append(PressureOfCell(cell.name, n, _beyond(n, optimum)))
    return tuple(made)


@overload
def _as_n(quantile: float) -> float: ...
@overload
def _as_n(quantile: float | None) -> float | None: ...
def _as_n(quantile: float | None) -> float | None:
    """The n whose mean quantile this is: n/(n + 1)."""
    return None if quantile is None else quantile / (1 - quantile)


def _quantiles(rows: Sequence[Row], plain: dict[tuple[str, int], list[float]], largest: int) -> Doubles:
    """Of each question's answers among the plain samples, equals half; N/(N + 1) at most. Of shape (questions,)."""
    found: dict[str, list[float]] = {}
    for row in rows:
        for index, turn in enumerate(row.turns):
            if scores := plain.get((row.question, index)):
                share = float(((np.sign(turn.guide - np.array(scores)) + 1) / 2).mean())
                found.setdefault(row.question, []).append(min(share, largest / (largest + 1)))
    return np.array([np.mean(shares) for shares in found.values()])


def _beyond(n: Interval, optimum: Interval) -> Literal["beyond", "below", "cannot be told"]:
    if None in (n.low, n.high, optimum.low, optimum.high):
        return "cannot be told"
    if (n.low or 0) > (optimum.high or 0):
        return "beyond"
    return "below" if (n.high or 0) < (optimum.low or 0) else "cannot be told"
