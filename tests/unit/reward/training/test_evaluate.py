from collections.abc import Sequence

import numpy as np
import pytest

from services.reward.training.data import TEST, TrainingPair
from services.reward.training.evaluate import ALL, LONGER, evaluate, interval
from services.reward.training.features import Features
from services.reward.training.head import Head
from services.reward.training.negatives import SOURCE as GIBBERISH
from tests.unit.reward.conversations import dialogue


def made(
    sources: Sequence[str], tokens: Sequence[tuple[int, int]], signs: Sequence[int]
) -> tuple[list[TrainingPair], Features]:
    """Pairs whose only feature is ahead of 0 by `signs` when whole and behind by it when cut to 10 tokens."""
    pairs = [TrainingPair(dialogue(f"{n}"), "a", "b", source, TEST) for n, source in enumerate(sources)]
    means = np.zeros((len(pairs), 2, 2, 1), dtype=np.float32)
    means[:, 0, 1, 0], means[:, 0, 0, 0] = signs, [-sign for sign in signs]
    return pairs, Features(means, np.array(tokens, dtype=np.int64))


def test_accuracy_by_scorer_source_and_cut() -> None:
    pairs, features = made(["x", "x", "y", GIBBERISH], [(30, 20), (8, 20), (5, 5), (1, 50)], [1, -1, 1, 1])
    found = evaluate({"head": Head(np.ones(1), 0.0)}, pairs, features, (10,), 0)
    values = {(row.scorer, row.source, row.cut): row.value for row in found}
    assert values[LONGER, "x", None] == 0.5
    assert values[LONGER, "x", 10] == pytest.approx(0.25)
    assert values[LONGER, "y", None] == 0.5
    assert values["head", "x", None] == 0.5
    assert values["head", "y", None] == 1
    assert values["head", "y", 10] == 0
    assert values["head", ALL, None] == pytest.approx(2 / 3)
    assert values["head", GIBBERISH, None] == 1
    assert {row.source: row.pairs for row in found} == {"x": 2, "y": 1, ALL: 3, GIBBERISH: 1}


def test_intervals_resample_prompts_and_not_pairs() -> None:
    margins = np.tile([1.0, -1.0, 1.0, 1.0], 50)
    value, low, high = interval(margins, np.arange(200), 0)
    assert value == 0.75
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(0.75 * 0.25 / 200), rel=0.15)
    clustered = interval(np.repeat(margins, 5), np.repeat(np.arange(200), 5), 0)
    assert clustered == pytest.approx((value, low, high))


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    draws = np.random.default_rng(0)
    inside = 0
    for seed in range(100):
        _, low, high = interval(np.where(draws.random(150) < 0.7, 1.0, -1.0), np.arange(150), seed)
        inside += low <= 0.7 <= high
    assert inside >= 88


def test_one_prompt_says_nothing() -> None:
    assert interval(np.array([1.0, 1.0]), np.zeros(2, dtype=np.int64), 0) == (1, 0, 1)


def test_equal_seeds_give_equal_intervals() -> None:
    margins = np.random.default_rng(1).normal(size=60)
    assert interval(margins, np.arange(60), 3) == interval(margins, np.arange(60), 3)
