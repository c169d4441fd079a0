"""Means and differences with bootstrap intervals over questions."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
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

    def simultaneous(self, differences: Doubles, lengths: Doubles | None = None) -> list[Interval | None]:
        """Intervals of several means, or with `lengths` of several differences at equal length, that hold together.

        Both of shape (cells, questions). All of the intervals cover at once with the bootstrap's confidence: each is
        the estimate ± c standard errors, c the quantile of the largest |deviation| / standard error over the cells in
        the same resamples (max-t: Romano and Wolf 2005), which is less wide than Bonferroni's where cells go together.
        The unit of lengths is that of the sample, not drawn anew. Below three questions a cell has no interval.
        """
        known = ~np.isnan(differences) if lengths is None else ~(np.isnan(differences) | np.isnan(lengths))
        some = known.sum(axis=1)
        value = np.where(known, differences, 0.0)
        scaled = np.zeros_like(value) if lengths is None else _scaled(lengths, known)
        terms = np.stack([known.astype(np.float64), value, scaled, scaled**2, scaled * value])

        def statistic(counts: Doubles) -> Doubles:
            number, total, x, xx, xy = np.einsum("rq,tcq->trc", counts, terms, optimize=True)
            with np.errstate(invalid="ignore", divide="ignore"):
                variance, covariance = xx - x**2 / number, xy - x * total / number
                slope = np.where(variance > 1e-12 * number, covariance / variance, 0.0)
                return np.asarray((total - slope * x) / number)

        estimates = statistic(np.ones((1, value.shape[1])))[0]
        drawn = np.concatenate([statistic(counts) for counts in self._counts(value.shape[1])])
        usable = some >= 3
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


def _scaled(lengths: Doubles, known: NDArray[np.bool_]) -> Doubles:
    """tanh(lengths / their standard deviation) by cell, 0 where unknown."""
    spread = np.array([np.std(row[there]) if there.any() else 0.0 for row, there in zip(lengths, known, strict=True)])
    scaled = np.tanh(np.where(known, lengths, 0.0) / np.where(spread > 0, spread, 1.0)[:, None])
    return np.asarray(np.where(known, scaled, 0.0))


def spearman(first: Doubles, second: Doubles) -> float | None:
    """Rank correlation over the pairs in which both are known; None below three, or where one does not vary."""
    known = ~(np.isnan(first) | np.isnan(second))
    first, second = first[known], second[known]
    if len(first) < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return float(stats.spearmanr(first, second).statistic)
