"""The prompts that demand a form, and the checks of what holds it."""

from collections import Counter

import pytest

from bench.demands import DemandsAnswer, differences
from bench.format_checks import CHECKS
from bench.formats import prompts

# By kind: what it wants, an answer that holds it, answers that do not.
CASES = {
    "translate": (8, "Le chat dort sur la chaise.", ["Here is: le chat dort.", "Le chat.\nThe cat.", "le " * 9]),
    "yes_no": (["yes", "no"], "Yes.", ["Yes, it is.", "Maybe", ""]),
    "one_sentence": (None, "A river is water.", ["A river is water. It flows.", "A river", "a " * 50 + "."]),
    "title": (6, "“Tomatoes on the Balcony”", ["Here is a title: Tomatoes", "One\nTwo", "a " * 7]),
    "label": (["spam", "ham"], "**Spam**", ["It is spam.", "eggs"]),
    "fields": (["city", "name"], "Name: Ann\ncity: Rome", ["name: Ann", "name: Ann\ncity:", "Sure!\nname: A\ncity: R"]),
    "json": (["a"], '{"a": 1}', ['```json\n{"a": 1}\n```', '{"b": 1}', "[1]", "a"]),
    "number": (None, "1,945.", ["In 1945", "two", ""]),
    "list": ([3, 2], "1. red\n2. blue\n3. green", ["red, blue", "red\nblue\ngreen as grass is"]),
    "words": (3, "red and blue", ["red and dark blue", ""]),
}


@pytest.mark.parametrize("kind", CASES)
def test_checks(kind: str) -> None:
    want, good, bad = CASES[kind]
    assert CHECKS[kind](good, want)
    assert not [text for text in bad if CHECKS[kind](text, want)]


def test_six_prompts_of_each_of_ten_kinds_each_its_own() -> None:
    found = prompts()
    assert Counter(prompt.kind for prompt in found) == dict.fromkeys(CHECKS, 6)
    assert set(CASES) == set(CHECKS)
    assert len({prompt.id for prompt in found}) == len({prompt.messages for prompt in found}) == 60


def test_differences_are_means_by_question() -> None:
    found = [DemandsAnswer("q", lines, seed, "", 0.0) for lines in ("allowed", "every") for seed in (0, 1)]
    assert differences(found, [3.0, 5.0, 1.0, 2.0]) == {"q": 2.5}
