from pathlib import Path

import numpy as np

from services.reward.training.card import CARD, HEAD, TrainingRecord, write_artefact
from services.reward.training.data import TEST, TRAIN, Preferences, TrainingPair
from services.reward.training.features import Caps, Features
from services.reward.training.head import Head, read_about, read_head
from services.reward.training.negatives import SOURCE as GIBBERISH
from services.reward.training.trainer import TrainingOptions, train
from tests.unit.reward.conversations import dialogue

SIZE, PAIRS = 4, 60
CAPS = Caps(cuts=(10,))
OPTIONS = TrainingOptions(l2=0.1, cuts=(10,), partial=True, seed=0, weights={"b": 0.0})


def given() -> tuple[list[TrainingPair], Features]:
    """Pairs of sources a, b and gibberish, half of each held out, whose first feature prefers the chosen response."""
    sources = ("a", "b", GIBBERISH)
    pairs = [TrainingPair(dialogue(f"{n}"), "x", "y", sources[n % 3], TRAIN if n % 2 else TEST) for n in range(PAIRS)]
    means = np.random.default_rng(0).normal(size=(PAIRS, 2, 2, SIZE)).astype(np.float32)
    means[:, 0, :, 0] += 1
    return pairs, Features(means, np.full((PAIRS, 2), 30, dtype=np.int64))


def test_a_head_comes_with_what_it_knows_of_itself() -> None:
    pairs, features = given()
    head = train(pairs, features, CAPS, OPTIONS, None).head
    assert head.posterior is not None
    assert head.familiarity is not None
    real = np.array([pair.split == TRAIN and pair.source != GIBBERISH for pair in pairs])
    np.testing.assert_allclose(head.posterior.mean, features.means[real].mean(axis=(0, 1, 2)), rtol=1e-5)
    # What does not count for the weights does not make them surer.
    everything = TrainingOptions(l2=0.1, cuts=(10,), partial=True, seed=0, weights={})
    surer = train(pairs, features, CAPS, everything, None).head.posterior
    assert surer is not None
    offset = head.posterior.mean + 1
    assert surer.deviations(offset) < 0.95 * head.posterior.deviations(offset)


def test_a_kept_head_keeps_its_bits(tmp_path: Path) -> None:
    pairs, features = given()
    kept = Head(np.linspace(-1, 1, SIZE, dtype=np.float32).astype(np.float64), 0.25)
    trained = train(pairs, features, CAPS, OPTIONS, None, kept)
    about = {"command": "how it was made"}
    preferences = Preferences({}, {}, 0, 0, 0, ())
    write_artefact(
        tmp_path, TrainingRecord(preferences, pairs, {}, CAPS, OPTIONS, trained, "trunk", "this command", about)
    )
    written = read_head(tmp_path / HEAD)
    np.testing.assert_array_equal(written.weight, kept.weight)
    assert written.bias == kept.bias
    assert written.posterior is not None
    assert read_about(tmp_path / HEAD)["weights"] == about
    card = (tmp_path / CARD).read_text()
    assert "The weights are another head's, which were kept: they were made by `how it was made`." in card
