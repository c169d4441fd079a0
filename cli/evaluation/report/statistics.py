"""Means and differences with bootstrap intervals over questions."""

from collections.abc import Callable
from dataclasses import dataclass
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


def spearman(first: Doubles, second: Doubles) -> float | None:
    """Rank correlation over the pairs in which both are known; None below three, or where one does not vary."""
    known = ~(np.isnan(first) | np.isnan(second))
    first, second = first[known], second[known]
    if len(first) < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return float(stats.spearmanr(first, second).statistic)
