"""What is wished in words becomes checks where rules can tell, and criteria where they cannot."""

from io import StringIO
from typing import Any

import pytest
import yaml
from rich.console import Console

from cli import view
from cli.console import CommandError
from cli.preference import MOST_CHARACTERS, MOST_WISHES, preferred
from services.reward.profiles import parse_profile
from services.reward.registry import RulesSpec
from services.reward.rules.scorer import RulesScorer
from services.reward.scorer import Conversation, ScoreItem
from shared.errors import InvalidRequest
from shared.records.evolution import Message

ASKED = Conversation((Message("user", "Why do boats float?"),))
LONG = "Consequently, extraordinarily sophisticated hydrodynamic considerations necessitate appropriate buoyancy."
LIST = "Water pushes:\n- up\n- and up"


def made_of(preference: str) -> list[dict[str, Any]]:
    """The components beside those of the shipped default."""
    return [each for each in yaml.safe_load(preferred(preference).content)["components"] if each["name"][:2] == "ru"]


@pytest.mark.parametrize(
    ("wish", "so", "not_so"),
    [
        ("at most two sentences", "Water pushes. It is so.", "It is. It is. It is."),
        ("in no more than 3 words", "It is so.", "It is not so."),
        ("at least 4 words", "It is not so.", "It is so."),
        ("exactly one sentence", "It is so.", "It is. So."),
        ("a single sentence", "It is so.", "It is. So."),
        ("between 3 and 5 words", "Water pushes boats up.", "Water."),
        ("2 to 3 sentences", "It is. So.", "It is so."),
        ("plain words", "Water pushes the boat up.", LONG),
        ("and uses simple language.", "Water pushes the boat up.", LONG),
        ("ends with a question", "It floats. Does it sink?", "Does it? It does."),
        ("ends with a question", "浮く。沈みますか？", "Why do boats float?"),
        ("Ends in a question mark", "It is so!\n**Does it float?** ", "It does."),
        ("never mentions Acme or Globex Corp", "We build boats.", "globex corp builds boats."),
        ("does not use the word 'boat'", "Ships float.", "A boat floats."),
        ("no mention of Acme", "We build boats.", "ACME builds boats."),
        ('mentions "ticket"', "See your ticket.", "See your tickets."),
        ("cites a link", "See https://example.com/a.", "See there."),
        ("no bullet points", "Water pushes.", LIST),
        ("without lists", "Water pushes.", "1. Water\n2. pushes"),
        ("valid JSON", '{"a": 1}', "a: 1"),
    ],
)
def test_rules_check_what_they_can(wish: str, so: str, not_so: str) -> None:
    content = preferred(wish).content
    [spec] = [each for each in parse_profile(content, "it").components if isinstance(each, RulesSpec)]
    assert spec.weight > 1
    scorer = RulesScorer(spec.checks)
    assert [score.value for score in scorer.score([ScoreItem(ASKED, so)])] == [1.0]
    assert scorer.score([ScoreItem(ASKED, not_so)])[0].value < 1


def test_the_model_is_told_all_of_it() -> None:
    content = preferred("at most two sentences, is kind to beginners").content
    assert parse_profile(content, "it").wishes == ("at most two sentences", "is kind to beginners")


def test_a_judge_is_asked_about_everything_else() -> None:
    [rules, rubric] = made_of("at most two sentences; is kind to beginners\nat most as long as it must be")
    assert rules["checks"] == [{"name": "at-most-two-sentences", "type": "length", "unit": "sentences", "max": 2}]
    assert [each["text"] for each in rubric["criteria"]] == ["Is kind to beginners", "At most as long as it must be"]
    assert rubric["weight"] == 2 * rules["weight"]


def test_each_wish_is_found_among_the_parts_of_a_reward() -> None:
    made = preferred(
        "at most 1 sentence, 親切に, it is kind to them all, 丁寧に, it is kind to them all at once, at most 1 sentence"
    )
    profile = parse_profile(made.content, "it")
    parts = [f"{spec.name}.{part}" for spec in profile.components for part in spec.parts]
    assert sorted(made.wishes) == sorted(parts)
    assert list(made.wishes.values()) == profile.description.split("; ")
    assert made.wishes["rules.at-most-1-sentence"] == "at most 1 sentence"


@pytest.mark.parametrize(
    "preference", ["", " , ;", ",".join(map(str, range(MOST_WISHES + 1))), "x" * (MOST_CHARACTERS + 1)]
)
def test_none_too_many_and_too_long_wishes_are_refused(preference: str) -> None:
    with pytest.raises(CommandError, match="1 to 16 wishes"):
        preferred(preference)


@pytest.mark.parametrize("preference", ["at most zero words", "never mentions ''"])
def test_wishes_for_what_cannot_be_are_refused(preference: str) -> None:
    with pytest.raises(InvalidRequest, match="what you prefer: components"):
        preferred(preference)


def test_it_is_shown_which_of_the_answers_are_so() -> None:
    named = {"rules.brief": "at most two\x1b sentences", "rules.asks": "ends with a question", "rubric.kind": "is kind"}
    base = {"components": {"rules.brief": 0.5, "rules.asks": 1.0, "rubric.kind": 0.25}}
    best = {"components": {"rules.brief": 1.0, "rules.asks": 1.0, "rubric.kind": 0.75}}
    console = Console(width=80, record=True, file=StringIO())
    console.print(view.wishes({"base": base, "choices": [best]}, named))
    console.print(view.wishes({"base": None, "choices": [best]}, named))
    shown = [line.split() for line in console.export_text().splitlines() if "two" in line or "is kind" in line]
    assert shown == [
        ["at", "most", "two", "sentences", "✗", "✓"],
        ["is", "kind", "25%", "75%"],
        ["at", "most", "two", "sentences", "✓"],
        ["is", "kind", "75%"],
    ]
