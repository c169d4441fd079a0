import json

import pytest

from services.mutation import guards
from services.mutation.operators import JSON_SCHEMA, OPERATORS, Operator, chat, example_texts, parse

ALL = pytest.mark.parametrize("operator", OPERATORS.values(), ids=OPERATORS.keys())


def test_the_five_operators() -> None:
    assert list(OPERATORS) == ["clarify", "add_detail", "simplify", "rephrase", "plan_first"]


@ALL
def test_the_prompt_shows_examples_then_asks(operator: Operator) -> None:
    turns = chat(operator, 'Name a "river" in Peru.\n\nNow.')
    assert turns[0].role == "system"
    assert operator.task in turns[0].content
    assert [turn.role for turn in turns[1:]] == ["user", "assistant"] * len(operator.examples) + ["user"]
    assert turns[-1].content.endswith('Name a "river" in Peru.\n\nNow.')


@ALL
def test_what_the_prompt_shows_parses_to_the_example(operator: Operator) -> None:
    shown = [turn.content for turn in chat(operator, "x") if turn.role == "assistant"]
    assert [parse(text) for text in shown] == [after for _, after in operator.examples]


@ALL
def test_prompts_differ_only_after_the_examples(operator: Operator) -> None:
    """So that an engine with prefix caching computes them once."""
    assert chat(operator, "one")[:-1] == chat(operator, "two")[:-1]


@ALL
def test_the_examples_pass_the_guards(operator: Operator) -> None:
    """A rewrite as the prompt asks for it must not be one that the guards turn down by its form."""
    for before, after in operator.examples:
        assert guards.form(after, before, (), {guards.normalised(before)}) is None
        assert guards.numbers(before) == guards.numbers(after)
    assert len(set(example_texts(operator))) == 2 * len(operator.examples)


def test_the_schema_is_that_of_the_examples() -> None:
    schema = json.loads(JSON_SCHEMA)
    assert schema["required"] == ["instruction"]
    assert schema["properties"]["instruction"]["minLength"] > 0


@pytest.mark.parametrize(
    ("output", "text"),
    [
        ('{"instruction": "Name a river."}', "Name a river."),
        ('{"instruction":"Say \\"hi\\" to me."}', 'Say "hi" to me.'),
        ('Sure!\n{"instruction": "Name a river."}\nI hope this helps.', "Name a river."),
        ('```json\n{\n  "instruction": "Name a river."\n}\n```', "Name a river."),
        ('{"instruction": "Name\na river."}', "Name\na river."),
        ('{"instruction": "Rewrite this request: Name a river."}', "Name a river."),
        ("Name a river.", "Name a river."),
        ('"Name a river."', "Name a river."),
        ('"Red" or "blue"', '"Red" or "blue"'),
        ("Rewritten request: Name a river.", "Name a river."),
        ('{"instruction": ""}', ""),
        ("", ""),
        ('{"instruction": "Name a ri', None),
        ('{"instruction": ["Name a river."]}', None),
        ('{"request": "Name a river."}', None),
        ("{}", None),
        ("First line.\n\nSecond paragraph.", None),
        ('{"instruction": "bad \\escape"}', None),
    ],
)
def test_parse(output: str, text: str | None) -> None:
    assert parse(output) == text
