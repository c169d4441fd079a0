"""From pairs and their features to a head and its evaluation; pure, so that equal features give equal heads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.reward.training.data import TEST, TRAIN, TrainingPair
from services.reward.training.evaluate import Accuracy, evaluate
from services.reward.training.features import Caps, Features
from services.reward.training.head import Head, Vector, fit, loss
from services.reward.training.negatives import SOURCE as GIBBERISH
from services.reward.training.posterior import familiarity, laplace

TRAINED = "this head"
SHIPPED = "shipped head"


@dataclass(frozen=True)
class TrainingOptions:
    """`l2` as `fit` takes it; with `partial`, responses cut to `cuts` tokens are trained on as well.

    `weights` are by source: how much a pair counts, 1 where nothing is said.
    """

    l2: float
    cuts: tuple[int, ...]
    partial: bool
    seed: int
    weights: Mapping[str, float]


@dataclass(frozen=True)
class TrainedHead:
    """A head, its Bradley–Terry loss on whole responses, and its accuracy beside others'.

    `spread` is the standard deviation of the scores of held-out responses, gibberish aside.
    """

    head: Head
    training_loss: float
    held_out_loss: float
    spread: float
    accuracies: tuple[Accuracy, ...]


def train(
    pairs: Sequence[TrainingPair],
    features: Features,
    caps: Caps,
    options: TrainingOptions,
    shipped: Head | None,
    kept: Head | None = None,
) -> TrainedHead:
    """Fits on the training side, measures on the other; `shipped` is measured beside the new head.

    The bias makes 0 the mean score of the training responses, chosen and rejected, gibberish aside. Weights and bias of
    a `kept` head stay as they are: what is fitted is only what stands beside them.
    """
    sides = np.array([pair.split for pair in pairs])
    real = np.array([pair.source != GIBBERISH for pair in pairs])
    whole = (features.means[:, 0, -1] - features.means[:, 1, -1]).astype(np.float64)
    counts = np.array([options.weights.get(pair.source, 1.0) for pair in pairs])[sides == TRAIN]
    differences = _differences(features, sides == TRAIN, options.partial)
    repeated = np.repeat(counts, len(differences) // len(counts))
    weight = kept.weight if kept else fit(differences, options.l2, repeated)
    centred = Head(weight, 0.0).scores(features.means[:, :, -1])
    bias = kept.bias if kept else -float(centred[(sides == TRAIN) & real].mean())
    known = familiarity(_part(features, (sides == TRAIN) & real), _part(features, (sides == TEST) & real), caps)
    posterior = laplace(differences, options.l2, weight, float(counts.sum()), known.mean, repeated)
    head = Head(weight, bias, posterior, known)
    heads = {TRAINED: head} | ({SHIPPED: shipped} if shipped else {})
    return TrainedHead(
        head,
        loss(weight, whole[sides == TRAIN]),
        loss(weight, whole[sides == TEST]),
        float(centred[(sides == TEST) & real].std()),
        tuple(_evaluate(heads, pairs, features, sides == TEST, options)),
    )


def _part(features: Features, members: NDArray[np.bool_]) -> Features:
    return Features(features.means[members], features.tokens[members])


def _differences(features: Features, members: NDArray[np.bool_], partial: bool) -> Vector:
    """Chosen minus rejected, [n, hidden]; with `partial` a pair counts once whole and once for each cut."""
    means = features.means[members] if partial else features.means[members, :, -1:]
    differences: Vector = (means[:, 0] - means[:, 1]).astype(np.float64).reshape(-1, means.shape[-1])
    return differences


def _evaluate(
    heads: dict[str, Head],
    pairs: Sequence[TrainingPair],
    features: Features,
    members: NDArray[np.bool_],
    options: TrainingOptions,
) -> list[Accuracy]:
    held_out = [pair for pair, member in zip(pairs, members, strict=True) if member]
    return evaluate(heads, held_out, _part(features, members), options.cuts, options.seed)
