"""The text of a JSON response's values."""

import pytest

from services.reward.guard import penalty
from services.reward.json_values import values_text


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ('{"a": 1, "b": [true, "x\\n y", {"c": "d"}]}', "1\ntrue\nx\n y\nd"),
        ('{"a": "so far', "so far"),
        ('{"a": "caf\\u00', "caf"),
        ('{"a": "b\\', "b"),
        ('{"a": "say \\"yes\\""}', 'say "yes"'),
        ('["one", null', "one\nnull"),
        ('"a: b, {c}"', "a: b, {c}"),
        ("{", "{"),
        ("{}", "{}"),
        ("", ""),
    ],
)
def test_values_are_read_of_whole_and_of_begun_responses(text: str, values: str) -> None:
    assert values_text(text) == values


def test_repeated_names_are_no_repetition() -> None:
    names = ["Ann", "Ben", "Cleo", "Dan", "Eve", "Finn", "Gus", "Hal", "Ida", "Jo"]
    rows = ", ".join(f'{{"first name of the person": "{name}", "lives in a house": "{name}ville"}}' for name in names)
    assert penalty(values_text(f"[{rows}]")) == 0
    assert penalty(values_text('{"a": "' + "so it goes and " * 40 + '"}')) < -1
