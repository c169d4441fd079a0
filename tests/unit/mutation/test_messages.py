from typing import Any

import pytest

from services.mutation.messages import MAX_EARNED, MAX_EXCLUDED_CHARACTERS, MutationRequest
from shared.errors import InvalidRequest
from shared.records.credit import Credit, Earned
from shared.records.evolution import Message
from shared.records.limits import (
    MAX_CONVERSATION_CHARACTERS,
    MAX_CROSSOVER,
    MAX_EXCLUDED,
    MAX_MESSAGES,
    MAX_PROMPT_CHARACTERS,
    MAX_QUOTED_CHARACTERS,
)

USER = Message("user", "Name a river.")


def test_the_original_is_the_last_user_turn() -> None:
    turns = (Message("system", "Be kind."), Message("user", "Hi"), Message("assistant", "Hello"), USER)
    assert MutationRequest(turns, "x", 64).original == "Name a river."


@pytest.mark.parametrize(
    ("field", "messages", "parent", "count", "exclude"),
    [
        ("messages", (), "x", 5, ()),
        ("messages", (Message("assistant", "Hi"),), "x", 5, ()),
        ("messages", (Message("user", " \n"),), "x", 5, ()),
        ("messages", (USER,) * (MAX_MESSAGES + 1), "x", 5, ()),
        ("messages", (Message("user", "x" * (MAX_CONVERSATION_CHARACTERS + 1)),), "x", 5, ()),
        ("messages[0].role", (Message("tool", "Hi"), USER), "x", 5, ()),
        ("parent", (USER,), "  ", 5, ()),
        ("parent", (USER,), "x" * (MAX_PROMPT_CHARACTERS + 1), 5, ()),
        ("count", (USER,), "x", 0, ()),
        ("count", (USER,), "x", 65, ()),
        ("exclude", (USER,), "x", 5, ("y",) * (MAX_EXCLUDED + 1)),
        ("exclude", (USER,), "x", 5, ("y" * MAX_EXCLUDED_CHARACTERS, "z")),
    ],
)
def test_limits(field: str, messages: tuple[Message, ...], parent: str, count: int, exclude: tuple[str, ...]) -> None:
    with pytest.raises(InvalidRequest) as raised:
        MutationRequest(messages, parent, count, exclude)
    assert raised.value.field == field


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("crossover", {"crossover": ("y",) * (MAX_CROSSOVER + 1)}),
        ("crossover", {"crossover": ("y", "y" * (MAX_QUOTED_CHARACTERS + 1))}),
        ("refine", {"refine": "y" * (MAX_QUOTED_CHARACTERS + 1)}),
    ],
)
def test_no_more_is_quoted_than_a_mutant_may_hold(field: str, given: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as raised:
        MutationRequest((USER,), "x", 5, **given)
    assert raised.value.field == field


@pytest.mark.parametrize(
    ("field", "credit"),
    [
        ("earned", Credit({"a": Earned(float("nan"), 1.0)}, 1.0)),
        ("earned", Credit({"a": Earned(0.0, -1.0)}, 1.0)),
        ("earned", Credit({str(number): Earned(0.0, 1.0) for number in range(MAX_EARNED + 1)}, 1.0)),
        ("noise", Credit({"a": Earned(0.0, 1.0)}, 0.0)),
        ("noise", Credit({"a": Earned(0.0, 1.0)}, float("inf"))),
    ],
)
def test_credit_that_nothing_can_be_drawn_from_is_refused(field: str, credit: Credit) -> None:
    with pytest.raises(InvalidRequest) as raised:
        MutationRequest((USER,), "x", 5, credit=credit)
    assert raised.value.field == field
