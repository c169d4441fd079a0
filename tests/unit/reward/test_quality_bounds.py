"""The lower confidence bound and the abstention of the quality reward: of heads made here, and of the shipped one."""

from base64 import b64encode
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

from services.reward import quality
from services.reward.posterior import Posterior
from services.reward.quality import EMPTY, LAYERS, QualityScorer
from services.reward.runtime import Runtime
from services.reward.scorer import ScoreItem
from services.reward.training import features
from services.reward.training.data import TEST, TrainingPair
from services.reward.training.features import Caps, Extractor
from services.reward.trunk import Trunk
from shared.errors import InvalidRequest
from shared.text.embedded_models import EMBEDDED_LLM, resolve
from tests.unit.reward.conversations import dialogue
from tests.unit.reward.heads import save_knowing_head

EXACT = Runtime(dtype="float32")
QUESTION = dialogue("How do plants make food?")
TEXT = (
    "Plants make food by photosynthesis: chlorophyll in their leaves captures sunlight, which turns carbon dioxide and "
    "water into glucose and oxygen. At night they breathe as we do.\n\n1. Light is absorbed.\n2. Water is split.\n"
)
OTHER = "Leaves are green, and they make sugar out of light, out of air and out of water, all day long and all summer."


@pytest.fixture(scope="module")
def trunk() -> Trunk:
    return Trunk(resolve(EMBEDDED_LLM), LAYERS, EXACT)


@pytest.fixture(autouse=True)
def one_trunk(trunk: Trunk, monkeypatch: pytest.MonkeyPatch) -> None:
    """All scorers of this module compute with one trunk, which keeps nothing."""
    for module in (quality, features):
        monkeypatch.setattr(module, "Trunk", lambda *_: trunk)


def loaded(file: str, kappa: float = 0.0, *, abstain: bool = False, keeping: bool = True) -> QualityScorer:
    runtime = EXACT if keeping else Runtime(dtype="float32", cache_bytes=0)
    scorer = QualityScorer(file, runtime, kappa, abstain=abstain)
    scorer.load()
    return scorer


def test_a_bound_is_the_score_less_kappa_deviations(tmp_path: Path) -> None:
    """By features of the training's own, which come from another pass over the text."""
    file = save_knowing_head(tmp_path)
    pair = TrainingPair(QUESTION, TEXT, OTHER, "own", TEST)
    means = Extractor(tmp_path / "cache", Caps(cuts=()), EXACT).extract([pair], lambda _: None).means[0, :, -1]
    posterior = Posterior.read({name: tensor.numpy() for name, tensor in load_file(file).items()})
    assert posterior is not None
    items = [ScoreItem(QUESTION, TEXT), ScoreItem(QUESTION, OTHER)]
    plain = [score.value for score in loaded(file).score(items)]
    bounds = [score.value for score in loaded(file, 2.0).score(items)]
    np.testing.assert_allclose(np.subtract(plain, bounds), 2 * posterior.deviations(means), rtol=1e-4)
    assert plain == [score.value for score in loaded("quality.safetensors").score(items)]


def test_a_growing_response_has_the_bound_of_one_that_is_scored_at_once(tmp_path: Path) -> None:
    file = save_knowing_head(tmp_path)
    keeping, forgetting = loaded(file, 1.0), loaded(file, 1.0, keeping=False)
    for text in (TEXT[:30], TEXT[:90], TEXT[:60] + OTHER, TEXT, TEXT[:40]):
        (grown,), (scratch,) = keeping.score([ScoreItem(QUESTION, text)]), forgetting.score([ScoreItem(QUESTION, text)])
        assert grown.value == pytest.approx(scratch.value, abs=1e-4)
    assert grown.computed_tokens < scratch.computed_tokens


def test_it_abstains_where_nothing_is_said_or_the_like_was_never_seen(tmp_path: Path) -> None:
    items = [ScoreItem(QUESTION, text) for text in ("", "Light.", TEXT)]
    reasons = {}
    for limit in (1e-3, 1e9):
        scores = loaded(save_knowing_head(tmp_path, limit), abstain=True).score(items)
        reasons[limit] = [score.abstained for score in scores]
        assert scores[0].value == EMPTY
    assert reasons == {1e-3: ["empty", "", "out_of_distribution"], 1e9: ["empty", "", ""]}
    assert [score.abstained for score in loaded(save_knowing_head(tmp_path, 1e-3)).score(items)] == ["", "", ""]


def test_the_shipped_head_knows_prose_and_is_less_sure_of_anything_else() -> None:
    strange = b64encode(TEXT.encode()).decode()
    items = [ScoreItem(QUESTION, text) for text in (TEXT, OTHER, strange, "")]
    bounds = loaded("quality.safetensors", 1.0, abstain=True).score(items)
    assert [bounds[0].abstained, bounds[1].abstained, bounds[3].abstained] == ["", "", "empty"]
    plain = loaded("quality.safetensors").score(items)
    taken = [score.value - bound.value for score, bound in zip(plain, bounds, strict=True)]
    assert 0 < max(taken[:2]) < taken[2]


@pytest.mark.parametrize(("field", "kappa", "abstain"), [("kappa", 0.5, False), ("abstain", 0.0, True)])
def test_a_head_that_lacks_what_is_asked_of_it_is_refused(field: str, kappa: float, abstain: bool) -> None:
    with pytest.raises(
        InvalidRequest, match=rf"needs: leave {field} out, or let `darwin reward train --keep"
    ) as caught:
        loaded("quality_permissive.safetensors", kappa, abstain=abstain)
    assert caught.value.field == field


def test_what_is_kept_for_a_bound_counts_as_kept(tmp_path: Path) -> None:
    file = save_knowing_head(tmp_path)
    sizes = []
    for kappa in (0.0, 1.0):
        scorer = loaded(file, kappa)
        (score,) = scorer.score([ScoreItem(QUESTION, OTHER)])
        sizes.append(scorer._prefixes.size)
    tokens = scorer._prefixes.longest(QUESTION.digest, scorer._tokens(OTHER))
    assert tokens is not None
    assert sizes[1] - sizes[0] == 4 * 576 * tokens[1]
    assert score.computed_tokens > tokens[1]
