"""Means and differences with bootstrap intervals over questions."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import stats

from cli.evaluation.report.cells import Doubles

_BATCH = 1000
"""Resamples at a time: bounds memory at a few MB for a thousand questions."""


@dataclass(frozen=True)
class Interval:
    """An estimate and its 95% interval; `low` and `high` are None below three questions, where none can be given."""

    value: float
    low: float | None
    high: float | None
    questions: int

    @property
    def excludes_zero(self) -> bool:
        """Whether zero lies outside."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)

    def around(self, other: "Interval | None") -> "Interval":
        """This estimate with an interval that holds the other's as well: where what was drawn is skewed, a symmetric
        interval is the narrower one on one side."""
        if self.low is None or self.high is None or other is None or other.low is None or other.high is None:
            return self
        return replace(self, low=min(self.low, other.low), high=max(self.high, other.high))


@dataclass(frozen=True)
class Bootstrap:
    """Percentile bootstrap over questions; every interval draws anew from `seed`, so their order changes nothing.

    Values are per question (paired differences where two cells are compared), NaN where unknown; those are left out,
    and None is returned where nothing is left.
    """

    resamples: int = 10_000
    seed: int = 0
    confidence: float = 0.95

    def mean(self, values: Doubles) -> Interval | None:
        """The mean of `values`, of shape (questions,)."""
        return self._interval(lambda sample, axis: np.mean(sample, axis=axis), values)

    def at_equal_length(self, differences: Doubles, lengths: Doubles) -> Interval | None:
        """The difference at equal length; both of shape (questions,), the lengths being differences too.

        AlpacaEval 2's length control (arXiv 2404.04475) for a real-valued judge: the intercept of the least-squares
        line of the difference on tanh(length difference / its standard deviation). Unlike there, no term for the
        difficulty of an instruction is fitted. It says what a line says: where nearly all differences of length have
        one sign it extrapolates, and quality that needs length is taken away with the length.
        """
        return self._interval(intercept, differences, lengths)

    def simultaneous(self, differences: Doubles, lengths: Doubles | None = None) -> list[Interval | None]:
        """Intervals of several means, or with `lengths` of several differences at equal length, that hold together.

        Both of shape (cells, questions). All of the intervals cover at once with the bootstrap's confidence: each is
        the estimate ± c standard errors, c the quantile of the largest |deviation| / standard error over the cells in
        the same resamples (max-t: Romano and Wolf 2005), which is less wide than Bonferroni's where cells go together.
        Below three questions a cell has no interval.
        """
        known = ~np.isnan(differences) if lengths is None else ~(np.isnan(differences) | np.isnan(lengths))
        some = known.sum(axis=1)

        def statistic(counts: Doubles) -> Doubles:
            with np.errstate(invalid="ignore", divide="ignore"):
                means = [
                    _mean(counts[:, there], values[there])
                    if lengths is None
                    else _intercept(counts[:, there], values[there], lengths[cell, there])
                    for cell, (there, values) in enumerate(zip(known, differences, strict=True))
                ]
            return np.stack(means, axis=1)

        questions = differences.shape[1]
        estimates = statistic(np.ones((1, questions)))[0]
        drawn = np.concatenate([statistic(counts) for counts in self._counts(questions)])
        usable = some >= 3
        # A resample may hold no question of a cell, which then says nothing of it.
        errors = np.nanstd(drawn[:, usable], axis=0, ddof=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            deviations = np.abs(drawn[:, usable] - estimates[usable]) / errors
        largest = np.where(np.isfinite(deviations), deviations, 0.0).max(axis=1, initial=0.0)
        margins = np.full(len(estimates), np.nan)
        margins[usable] = np.quantile(largest, self.confidence) * errors
        return [
            None
            if count == 0
            else Interval(estimate, estimate - margin, estimate + margin, count)
            if count >= 3
            else Interval(estimate, None, None, count)
            for estimate, margin, count in zip(estimates.tolist(), margins.tolist(), some.tolist(), strict=True)
        ]

    def resampled(self, values: Doubles) -> Doubles:
        """Means over questions in each resample, (resamples, …), of `values` (questions, …), all of them known."""
        return np.concatenate([counts @ values / len(values) for counts in self._counts(len(values))])

    def quantiles(self, drawn: Doubles) -> tuple[float, float]:
        """The percentile interval of what the resamples gave, (resamples,)."""
        low, high = np.quantile(drawn, [(1 - self.confidence) / 2, (1 + self.confidence) / 2])
        return float(low), float(high)

    def _counts(self, questions: int) -> Iterator[Doubles]:
        """How often each resample draws each question, (resamples, questions), in batches."""
        random = np.random.default_rng(self.seed)
        for start in range(0, self.resamples, _BATCH):
            size = min(_BATCH, self.resamples - start)
            yield random.multinomial(questions, np.full(questions, 1 / questions), size=size).astype(np.float64)

    def _interval(self, statistic: Callable[..., Any], *values: Doubles) -> Interval | None:
        known = ~np.any(np.isnan(values), axis=0)
        data = [sample[known] for sample in values]
        count = int(known.sum())
        if count == 0:
            return None
        estimate = float(statistic(*data, axis=-1))
        if count < 3:
            return Interval(estimate, None, None, count)
        result = stats.bootstrap(
            data,
            statistic,
            paired=True,
            vectorized=True,
            n_resamples=self.resamples,
            batch=min(self.resamples, _BATCH),
            confidence_level=self.confidence,
            method="percentile",
            rng=np.random.default_rng(self.seed),
        )
        low, high = result.confidence_interval
        return Interval(estimate, float(low), float(high), count)


def intercept(differences: Doubles, lengths: Doubles, axis: int = -1) -> Doubles:
    """Of the least-squares line of `differences` on tanh(lengths / their standard deviation), along `axis`.

    Where all lengths are equal the slope is taken to be zero.
    """
    spread = np.std(lengths, axis=axis, keepdims=True)
    scaled = np.tanh(lengths / np.where(spread > 0, spread, 1.0))
    middle, mean = scaled.mean(axis=axis, keepdims=True), differences.mean(axis=axis, keepdims=True)
    variance = ((scaled - middle) ** 2).sum(axis=axis)
    covariance = ((scaled - middle) * (differences - mean)).sum(axis=axis)
    slope = np.where(variance > 0, covariance, 0.0) / np.where(variance > 0, variance, 1.0)
    return np.asarray(mean.squeeze(axis) - slope * middle.squeeze(axis))


def _mean(counts: Doubles, values: Doubles) -> Doubles:
    """Means [resamples] of values that are drawn so often, counts [resamples, questions]."""
    return np.asarray(counts @ values / counts.sum(axis=1))


def _intercept(counts: Doubles, differences: Doubles, lengths: Doubles) -> Doubles:
    """As `intercept`, of questions that are drawn so often, counts [resamples, questions]."""
    variances = _mean(counts, lengths**2) - _mean(counts, lengths) ** 2
    # Equal lengths may vary in their last digits.
    spreads = np.where(variances > 1e-9, np.sqrt(np.maximum(variances, 0.0)), 1.0)
    scaled = np.tanh(lengths / spreads[:, None])
    weights = counts / counts.sum(axis=1, keepdims=True)
    middle, mean = (weights * scaled).sum(axis=1), weights @ differences
    variance = (weights * scaled**2).sum(axis=1) - middle**2
    covariance = ((weights * scaled) @ differences) - middle * mean
    slope = np.where(variance > 1e-9, covariance / variance, 0.0)
    return np.asarray(mean - slope * middle)


def spearman(first: Doubles, second: Doubles) -> float | None:
    """Rank correlation over the pairs in which both are known; None below three, or where one does not vary."""
    known = ~(np.isnan(first) | np.isnan(second))
    first, second = first[known], second[known]
    if len(first) < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return float(stats.spearmanr(first, second).statistic)
