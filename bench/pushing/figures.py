"""How long others' calls took before, while and after models were loaded, with intervals over the loads."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bench.pushing.operating import Pushed
from bench.pushing.traffic import Sample

Phase = Literal["before", "during", "after"]
PHASES: tuple[Phase, ...] = ("before", "during", "after")
QUANTILES = (0.5, 0.95)
AFTER_S = 6.0
"""A call that is due within so many seconds of a load's end counts as after it, later ones as before the next."""

# What is due so shortly before a load would be answered within it.
_WASHED_S = 3.0
_RESAMPLES = 2_000

Times = dict[Phase, np.ndarray[tuple[int], np.dtype[np.float64]]]
"""Seconds of the calls of one load, by phase."""


@dataclass(frozen=True)
class Figure:
    """A quantile of the seconds that calls of a kind took, over all loads: in each phase, over so many calls; and as a
    ratio to the phase before the loads, with its 95% interval over loads."""

    kind: str
    quantile: float
    calls: dict[Phase, int]
    seconds: dict[Phase, float]
    ratio: dict[Phase, tuple[float, float, float]]


def by_load(samples: Sequence[Sample], loads: Sequence[Pushed], began: float) -> list[Times]:
    """The calls around each load; `began` is when they started to come (Unix seconds)."""
    found, free = list[Times](), began
    for load in loads:
        spans: dict[Phase, tuple[float, float]] = {
            "before": (free, load.at - _WASHED_S),
            "during": (load.at, load.live_at),
            "after": (load.live_at, load.live_at + AFTER_S),
        }
        found.append(
            {
                phase: np.array([sample.seconds for sample in samples if start <= sample.at < end])
                for phase, (start, end) in spans.items()
            }
        )
        free = load.live_at + AFTER_S
    return found


def figures(samples: Sequence[Sample], loads: Sequence[Pushed], began: float) -> list[Figure]:
    """Of each kind of calls that there are enough of in each phase."""
    found = list[Figure]()
    for kind in dict.fromkeys(sample.kind for sample in samples):
        times = by_load([sample for sample in samples if sample.kind == kind], loads, began)
        calls = {phase: sum(len(each[phase]) for each in times) for phase in PHASES}
        if all(calls.values()):
            found += [_figure(kind, quantile, calls, times) for quantile in QUANTILES]
    return found


def _figure(kind: str, quantile: float, calls: dict[Phase, int], times: Sequence[Times]) -> Figure:
    seconds = _of(times, quantile)
    draws = np.random.default_rng(0).integers(len(times), size=(_RESAMPLES, len(times)))
    resampled = [_of([times[index] for index in draw], quantile) for draw in draws]
    ratio: dict[Phase, tuple[float, float, float]] = {}
    for phase in PHASES[1:]:
        low, high = np.nanquantile([each[phase] / each["before"] for each in resampled], (0.025, 0.975))
        ratio[phase] = (seconds[phase] / seconds["before"], float(low), float(high))
    return Figure(kind, quantile, calls, seconds, ratio)


def _of(times: Sequence[Times], quantile: float) -> dict[Phase, float]:
    """Of the calls of these loads; NaN where a phase has none."""
    found: dict[Phase, float] = {}
    for phase in PHASES:
        values = np.concatenate([each[phase] for each in times])
        found[phase] = float(np.quantile(values, quantile)) if len(values) else float("nan")
    return found
