"""The judges that ship, and how they are made."""

from pathlib import Path

import numpy as np
import pytest

from bench.judges import ELSEWHERE, SHUFFLED, JudgePair, Measured, judge_pairs, judged, trained
from cli.evaluation.embedded import LinearJudge, basis, features, named_embedded, read_judge, write_judge
from cli.evaluation.judges import SHIPPED, JudgeOptions, named_judges
from cli.evaluation.judging import JudgedResponse
from services.reward.scorer import Conversation
from services.reward.training.data import TrainingPair
from shared.records.evolution import Message

_WIDTH = 4


def test_features_are_of_both_texts() -> None:
    question, answer = np.array([[1.0, 0.0]], np.float32), np.array([[0.6, -0.8]], np.float32)
    assert features(question, answer)[0] == pytest.approx([0.6, -0.8, 0.6, 0.0, 0.4, 0.8, 0.6])


def test_a_judge_is_read_as_it_was_written(tmp_path: Path) -> None:
    judge = LinearJudge(np.arange(7.0), -1.0, np.array([0.5, 0.0, 2.0]))
    write_judge(tmp_path / "judge.safetensors", judge, {"l2": 1})
    read = read_judge(tmp_path / "judge.safetensors")
    vectors = np.ones((2, 7), np.float32)
    assert read.scores(vectors, [10, 900]) == pytest.approx(judge.scores(vectors, [10, 900]))
    assert judge.scores(vectors, [10, 900]) == pytest.approx(20 - basis([10, 900]) @ judge.length)


@pytest.mark.parametrize("kind", SHIPPED)
def test_the_shipped_judges_tell_topic_and_order(kind: str) -> None:
    asked = ({"role": "user", "content": "How do I keep basil alive on a windowsill?"},)
    texts = (
        "Give it six hours of sun, water it when the soil feels dry, and pinch off the tips so that it grows bushy.",
        "The treaty was signed in the spring, after the two armies had met at the river for the third time that year.",
        "when bushy tips soil sun the so six of water and that it dry, feels pinch off grows Give it the hours it.",
    )
    (judge,) = named_judges(JudgeOptions(profiles=[f"mine={kind}"]))
    right, elsewhere, shuffled = judge.score([JudgedResponse(asked, text) for text in texts])
    assert right > max(elsewhere, shuffled)
    assert judge.name == "mine"
    assert named_embedded(kind).digest == judge.digest != named_embedded(kind, "2").digest


def _pair(prompt: str, chosen: str, rejected: str, split: str = "train") -> TrainingPair:
    return TrainingPair(Conversation((Message("user", prompt),)), chosen, rejected, "autoj", split)


def test_pairs_are_cut_shuffled_and_set_beside_others() -> None:
    long_ = "word " * 60
    found = list(judge_pairs([_pair(str(number), long_ + str(number), "other " * 60, "test") for number in range(30)]))
    kinds = {pair.kind for pair in found}
    assert kinds == {"whole", "first 250 characters", SHUFFLED, ELSEWHERE}
    cut = next(pair for pair in found if pair.kind == "first 250 characters")
    assert len(cut.better) <= 250
    assert cut.near
    for pair in found:
        if pair.kind == SHUFFLED:
            assert sorted(pair.better.split()) == sorted(pair.worse.split())
        if pair.kind == ELSEWHERE:
            assert pair.better != pair.worse
    assert not any(pair.training for pair in found)


def _measured(pairs: int, seed: int) -> Measured:
    """The better response has more of the first feature; the second is the logarithm of the length, which people like
    in half of the pairs that differ in it."""
    random = np.random.default_rng(seed)
    characters = random.integers(100, 1000, (pairs, 2)).astype(np.float64)
    characters[: pairs // 2, 1] = characters[: pairs // 2, 0]
    quality = random.normal(size=(pairs, 2))
    length = np.log(characters)
    liked = quality + 2 * length
    order = np.argsort(-liked, axis=1)
    rows = np.arange(pairs)[:, None]
    vectors = np.stack([quality, length, random.normal(size=(pairs, 2)), quality + length], axis=-1)[rows, order]
    made = tuple(
        JudgePair(f"q{seed}-{n}", "a" * int(c[0]), "b" * int(c[1]), "whole", "autoj", True, n % 4)
        for n, c in enumerate(characters[rows, order])
    )
    return Measured(made, vectors.astype(np.float32), characters[rows, order])


def test_the_blind_judge_learns_quality_and_not_length() -> None:
    """People like length here, and a feature holds it: the judge of all pairs learns to, the blind one does not."""
    training, held_out = _measured(400, 1), _measured(400, 2)
    judges = {name: trained(training, blind=name == "blind")[0] for name in ("seeing", "blind")}
    groups = {group.name: group.shares for group in judged(held_out, judges)}
    longer = groups["prefers the longer of two (½ is blind)"]
    assert longer["seeing"][0] > 0.6
    assert longer["blind"][0] == pytest.approx(0.5, abs=0.1)
    assert groups["whole, of equal length"]["blind"][0] > 0.9
    assert groups["all pairs"]["longer wins"][0] > 0.6
