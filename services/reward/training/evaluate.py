"""How often a scorer prefers the better response of a held-out pair, with intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import bootstrap

from services.reward.training.data import TrainingPair
from services.reward.training.features import Features
from services.reward.training.head import Head, Vector
from services.reward.training.negatives import SOURCE as GIBBERISH

ALL = "all"
LONGER = "longer wins"
CONFIDENCE = 0.95
_RESAMPLES = 2000


@dataclass(frozen=True)
class Accuracy:
    """Share of pairs whose chosen response scores more (a tie counts half), within [low, high] at 95%.

    `cut` is the number of tokens that both responses were cut to, None for whole ones. `source` is the data's, or `ALL`
    of them but gibberish.
    """

    scorer: str
    source: str
    cut: int | None
    pairs: int
    prompts: int
    value: float
    low: float
    high: float


def evaluate(
    heads: Mapping[str, Head], pairs: Sequence[TrainingPair], features: Features, cuts: Sequence[int], seed: int
) -> list[Accuracy]:
    """Every head and `LONGER`, on every source and `ALL`, at every cut and whole; rows in that order."""
    margins = {LONGER: _length_margins(features, cuts)}
    for name, head in heads.items():
        scores = head.scores(features.means)
        margins[name] = scores[:, 0] - scores[:, 1]
    prompts = np.unique([pair.conversation.digest.hex() for pair in pairs], return_inverse=True)[1]
    return [
        _accuracy((name, source, cut), found[members, column], prompts[members], seed)
        for name, found in margins.items()
        for source, members in _members(pairs).items()
        for column, cut in enumerate((*cuts, None))
    ]


def interval(margins: Vector, prompts: NDArray[np.int64], seed: int) -> tuple[float, float, float]:
    """Share of positive margins [n], and a percentile bootstrap interval that resamples prompts [n], not pairs.

    Pairs of one prompt are not independent of each other. The interval of a single prompt is [0, 1].
    """
    wins = (margins > 0) + 0.5 * (margins == 0)
    _, index = np.unique(prompts, return_inverse=True)
    won, of = np.bincount(index, wins), np.bincount(index).astype(np.float64)
    value = float(won.sum() / of.sum())
    if len(of) < 2:
        return value, 0.0, 1.0
    share = bootstrap(
        (won, of),
        lambda won, of, axis: won.sum(axis) / of.sum(axis),
        paired=True,
        vectorized=True,
        n_resamples=_RESAMPLES,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return value, float(share.low), float(share.high)


def _accuracy(what: tuple[str, str, int | None], margins: Vector, prompts: NDArray[np.int64], seed: int) -> Accuracy:
    value, low, high = interval(margins, prompts, seed)
    return Accuracy(*what, len(margins), len(np.unique(prompts)), value, low, high)


def _length_margins(features: Features, cuts: Sequence[int]) -> Vector:
    lengths = np.stack([np.minimum(features.tokens, cut) for cut in cuts] + [features.tokens], axis=-1)
    margins: Vector = (lengths[:, 0] - lengths[:, 1]).astype(np.float64)
    return margins


def _members(pairs: Sequence[TrainingPair]) -> dict[str, NDArray[np.int64]]:
    sources = np.array([pair.source for pair in pairs])
    found = {str(source): np.flatnonzero(sources == source) for source in np.unique(sources[sources != GIBBERISH])}
    groups = {**found, ALL: np.flatnonzero(sources != GIBBERISH), GIBBERISH: np.flatnonzero(sources == GIBBERISH)}
    return {source: members for source, members in groups.items() if len(members)}
