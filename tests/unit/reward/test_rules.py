"""The checks of a profile: what each gives, and what can be known of a response that may go on."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.reward.registry import RulesSpec
from services.reward.rules import measures
from services.reward.rules.scorer import RulesScorer
from services.reward.scorer import ComponentScore, Conversation, Part, ScoreItem
from shared.records.evolution import Message
from tests.examples import examples

ASKED = Conversation((Message("user", "How do plants make food from light, water and air?"),))
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


def spec(*checks: dict[str, Any], **more: Any) -> RulesSpec:
    named = [{"name": f"c{number}"} | check for number, check in enumerate(checks)]
    return RulesSpec.model_validate({"name": "rules", "type": "rules", "weight": 1, "checks": named} | more)


def judged(checks: RulesSpec, text: str, *, partial: bool = False, written: str = "") -> ComponentScore:
    scorer = RulesScorer(checks.checks, checks.tokenizer)
    scorer.load()
    [score] = scorer.score([ScoreItem(ASKED, text, partial, written)])
    return score


def value(check: dict[str, Any], text: str, *, partial: bool = False) -> tuple[float, bool]:
    [part] = judged(spec(check), text, partial=partial).parts
    return part.value, part.known


def length(unit: str, **bounds: int) -> dict[str, Any]:
    return {"type": "length", "unit": unit} | bounds


TWO = length("sentences", max=2)
ENDS = {"type": "match", "pattern": r"\?\s*$"}
CAT = {"type": "match", "pattern": r"\bcat\b", "absent": True}
RIVALS = {"type": "banned", "terms": ["Acme", "Globex Corp", "C++", "光合"]}
TICKET = {"type": "citations", "pattern": r"TICKET-\d+", "min": 2}
LINKS = {"type": "citations", "form": "link", "min": 1, "max": 2}
GERMAN = {"type": "language", "languages": ["de"]}
PLAIN = {"type": "reading", "max": 5}
ENGLISH_TEXT = "Leaves take light from the sun and water from the ground, and make sugar of it. " * 2
HARD = "Photosynthetic organisms transform electromagnetic radiation into carbohydrates. " * 4


@pytest.mark.parametrize(
    ("check", "text", "partial", "found"),
    [
        (length("characters", max=4), "abcde", False, (0.8, True)),
        (length("characters", max=4), "abcde", True, (0.8, True)),
        (length("characters", max=4), "abcd", True, (1.0, False)),
        (length("words", min=4), "one two three", False, (0.75, True)),
        (length("words", min=4), "one two three", True, (1.0, False)),
        (length("words", min=4) | {"unfinished": 0.5}, "one two three", True, (0.5, False)),
        (length("words", min=4), "one two three four", True, (1.0, True)),
        (length("words", min=2, max=3), "one two", True, (1.0, False)),
        (length("words", min=2, max=3), "one two", False, (1.0, True)),
        (TWO, "One. Two. Three. Four.", False, (0.5, True)),
        (TWO, "One. Two. T", True, (2 / 3, True)),
        (TWO, "Dr. Smith came. He left.", False, (1.0, True)),
        (ENDS, "Is it?", False, (1.0, True)),
        (ENDS, "Is it? No.", False, (0.0, True)),
        (ENDS, "Is it?", True, (1.0, False)),
        ({"type": "match", "pattern": "(?i)sugar"}, "SUGAR, so", True, (1.0, True)),
        (CAT, "a cat", False, (0.0, True)),
        (CAT, "a cat", True, (1.0, False)),
        (CAT, "a category", False, (1.0, True)),
        (CAT, "a cat ", True, (0.0, True)),
        (RIVALS, "Buy ÁCME!", False, (0.0, True)),
        (RIVALS, "Buy Acme", True, (1.0, False)),
        (RIVALS, "Acmeist and pacme", False, (1.0, True)),
        (RIVALS, "globex\n  corp, then", True, (0.0, True)),
        (RIVALS, "in C++.", False, (0.0, True)),
        (RIVALS, "这是光合作用", False, (0.0, True)),
        (TICKET, "TICKET-1, TICKET-1.", False, (0.5, True)),
        (TICKET, "TICKET-1, TICKET-12.", False, (1.0, True)),
        (TICKET, "TICKET-1, TICKET-2", True, (1.0, False)),
        (TICKET, "TICKET-1, TICKET-2. So", True, (1.0, True)),
        (LINKS, "See (https://a.org/x).", False, (1.0, True)),
        (LINKS, "See a.org.", False, (0.0, True)),
        (LINKS, "https://a.org https://b.org https://c.org https://d.org", False, (0.5, True)),
        ({"type": "citations", "form": "numbered", "min": 2}, "So [1], and so [2].", False, (1.0, True)),
        ({"type": "citations", "form": "markdown_link", "min": 1}, "[a](https://a.org)", False, (1.0, True)),
        ({"type": "json"}, "[1, 2]", False, (1.0, True)),
        ({"type": "json"}, '{"n": 1', False, (0.0, True)),
        ({"type": "json"}, '{"n": 1', True, (1.0, False)),
        ({"type": "json"}, "Here is it: {}", True, (0.0, True)),
        ({"type": "json"}, "{} So", True, (0.0, True)),
        ({"type": "json", "schema": SCHEMA}, '{"n": 1}', False, (1.0, True)),
        ({"type": "json", "schema": SCHEMA}, '{"n": "1"}', False, (0.0, True)),
        (GERMAN, "Blätter machen aus Licht, Wasser und Luft den Zucker, von dem sie leben.", False, (1.0, True)),
        (GERMAN, ENGLISH_TEXT, False, (0.0, True)),
        (GERMAN, ENGLISH_TEXT, True, (0.0, True)),
        (GERMAN, "Leaves take light from the sun", True, (1.0, False)),
        (GERMAN, "42", False, (1.0, True)),
        ({"type": "language"}, ENGLISH_TEXT, False, (1.0, True)),
        ({"type": "language"}, "Les feuilles prennent la lumière du soleil et l'eau du sol.", False, (0.0, True)),
        (PLAIN, "The cat sat on the mat.", False, (1.0, True)),
        (PLAIN, HARD, False, (0.0, True)),
        (PLAIN, HARD, True, (0.0, False)),
        (PLAIN, "Photosynthetic organisms", True, (1.0, False)),
        (PLAIN, "这是光合作用的过程。", False, (1.0, True)),
    ],
)
def test_what_a_check_gives(check: dict[str, Any], text: str, partial: bool, found: tuple[float, bool]) -> None:
    assert value(check, text, partial=partial) == pytest.approx(found)


def test_a_component_is_the_weighted_mean_of_its_checks_which_are_told_by_name() -> None:
    rules = spec(TWO | {"weight": 3}, ENDS, RIVALS)
    score = judged(rules, "One. Two. Three. Four.")
    assert score.parts == (Part("c0", 0.5), Part("c1", 0.0), Part("c2", 1.0))
    assert score.value == pytest.approx((3 * 0.5 + 0 + 1) / 5)
    assert rules.parts == ("c0", "c1", "c2")


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_empty_response_holds_nothing_once_it_has_ended(text: str) -> None:
    rules = spec(TWO, RIVALS, PLAIN)
    assert judged(rules, text).value == 0
    assert judged(rules, text, partial=True).value == 1


def test_the_reading_level_is_the_automated_readability_index() -> None:
    assert measures.grade("The cat sat on the mat.") == pytest.approx(4.71 * 17 / 6 + 0.5 * 6 - 21.43)
    two = "The cat sat on the mat. It saw a bird, and it did not move at all."
    assert measures.grade(two) == pytest.approx(4.71 * 49 / 17 + 0.5 * 17 / 2 - 21.43, abs=0.6)
    assert measures.grade("...") is None


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("...", 0),
        ("One", 1),
        ("Hi! 🌱", 1),
        ("He left e.g. early. Then v3.5 came?! Yes...", 3),
        ('I said "Stop." Then we left.', 2),
        ("1. Do this\n2. Do that\n- and this", 3),
        ("Trees drop\nleaves now", 1),
        ("A heading\n\nA paragraph", 2),
        ("今日は。明日も。", 2),
    ],
)
def test_sentences(text: str, count: int) -> None:
    assert measures.sentences(text) == count


def test_tokens_are_the_embedded_models_and_nothing_in_a_text_is_a_control_token() -> None:
    short, spelled = (judged(spec(length("tokens", max=4)), text) for text in ("Leaves.", "<|im_end|>"))
    assert (short.value, spelled.value < 1) == (1.0, True)


def test_json_is_judged_as_written_and_language_by_what_it_says() -> None:
    rules = spec({"type": "json", "schema": SCHEMA}, GERMAN, {"type": "banned", "terms": ["n"]})
    score = judged(rules, "7", written='{"n": 7}')
    assert [part.value for part in score.parts] == [1, 1, 1]


def test_half_a_surrogate_pair_is_judged_like_any_sign() -> None:
    assert math.isfinite(judged(spec(CAT, RIVALS, GERMAN, length("tokens", max=4)), "a \ud800 b").value)


EVERY = spec(
    TWO,
    ENDS,
    CAT,
    RIVALS,
    TICKET,
    LINKS,
    {"type": "json"},
    length("words", min=3, max=6),
    {"type": "citations", "pattern": "[a-c]+", "max": 2},
)
PIECES = ("cat", "Acme", "C++", ". ", "? ", "\n\n", "TICKET-1", "2", "https://a.org/", "{", "}", " ", "a", "e")


@settings(max_examples=examples(60))
@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join), st.integers(0, 60))
def test_what_is_known_of_a_beginning_is_not_better_at_the_end(text: str, cut: int) -> None:
    """What a check gives for a response that may go on is the most that it can come to, and if that is known, no more
    than this."""
    whole = judged(EVERY, text + "e")
    for beginning, ended in zip(judged(EVERY, text[:cut], partial=True).parts, whole.parts, strict=True):
        assert beginning.value >= ended.value - 1e-12, beginning.name
