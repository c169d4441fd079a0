"""How sure a mean is."""

from collections.abc import Sequence

import numpy as np

RESAMPLES = 10_000


def interval(values: Sequence[float]) -> str:
    """The mean, and its 95% bootstrap interval."""
    sample = np.array(values)
    draws = np.random.default_rng(0).choice(sample, (RESAMPLES, len(sample))).mean(axis=1)
    low, high = np.quantile(draws, (0.025, 0.975))
    return f"{sample.mean():+.3f} [{low:+.3f}, {high:+.3f}]"
