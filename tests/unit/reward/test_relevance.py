import pytest

from bench.translations import translations
from services.reward.relevance import MAX_CHARACTERS, RelevanceScorer
from services.reward.runtime import Runtime
from services.reward.scorer import ScoreItem
from tests.unit.reward.conversations import dialogue

RECIPE = dialogue("How do I bake sourdough bread?")
ON = "Mix flour, water and sourdough starter, let the dough rise overnight, then bake the bread in a hot oven."
OFF = "The stock market fell on Tuesday as investors worried about interest rates."


@pytest.fixture(scope="module")
def scorer() -> RelevanceScorer:
    scorer = RelevanceScorer(0.18, Runtime())
    scorer.load()
    return scorer


def test_on_topic_is_zero_and_off_topic_negative(scorer: RelevanceScorer) -> None:
    on, off, empty = scorer.score([ScoreItem(RECIPE, text) for text in (ON, OFF, "")])
    assert on.value == 0
    assert off.value < -0.08
    assert empty.value == pytest.approx(-0.18)


def test_right_answers_in_other_languages_get_no_penalty(scorer: RelevanceScorer) -> None:
    """Translations into and out of other languages, and answers to requests in them: the encoder cannot read these."""
    items = translations()
    assert len(items) == 40
    assert min(cosine.value for cosine in scorer.cosines(items)) < 0.18
    for cut in (None, 15):
        cuts = [ScoreItem(item.conversation, item.text[:cut]) for item in items]
        assert [item.text for item, score in zip(cuts, scorer.score(cuts), strict=True) if score.value < 0] == []


def test_what_is_too_short_to_tell_its_language_is_left_alone_and_what_is_no_language_is_not(
    scorer: RelevanceScorer,
) -> None:
    asked = dialogue("Translate into Italian: The cat sleeps.")
    short, long = scorer.score([ScoreItem(asked, text) for text in ("Il gat", "zq xv qqz " * 20)])
    assert short.value == 0
    assert long.value < 0


def test_a_follow_up_may_be_near_to_the_conversation(scorer: RelevanceScorer) -> None:
    alone = dialogue("Yes, please.")
    follow_up = dialogue("How do I bake sourdough bread?", "Shall I explain it in detail?", "Yes, please.")
    bare, within = scorer.cosines([ScoreItem(alone, ON), ScoreItem(follow_up, ON)])
    assert bare.value < 0.18 < within.value


def test_beyond_the_cut_a_growing_answer_costs_nothing(scorer: RelevanceScorer) -> None:
    start = (ON + " ") * 5
    assert len(start) > MAX_CHARACTERS
    (first,) = scorer.score([ScoreItem(RECIPE, start)])
    (grown,) = scorer.score([ScoreItem(RECIPE, start + OFF)])
    assert first.computed_tokens > 0
    assert grown.computed_tokens == 0
    assert grown.value == first.value


def test_a_batch_scores_like_single_calls(scorer: RelevanceScorer) -> None:
    items = [
        ScoreItem(dialogue(f"Tell me about {topic}."), ON) for topic in ("bread", "tax law", "the dough of my aunt")
    ]
    single = RelevanceScorer(0.18, Runtime())
    single.load()
    for together, alone in zip(scorer.cosines(items), [single.cosines([item])[0] for item in items], strict=True):
        assert together.value == pytest.approx(alone.value, abs=0.01)
