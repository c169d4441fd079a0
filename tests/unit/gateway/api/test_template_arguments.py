"""What a caller may give the model's chat template."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from services.gateway.api.template_arguments import TemplateArguments
from shared.records.limits import MAX_TEMPLATE_ARGUMENTS

ADAPTER: TypeAdapter[dict[str, Any]] = TypeAdapter(TemplateArguments)


def of_length(characters: int) -> dict[str, str]:
    """Arguments that are so long as JSON."""
    return {"a": "é" * (characters - len('{"a": ""}'))}


def nested(depth: int) -> dict[str, Any]:
    """Arguments of so many objects within each other."""
    return {"a": nested(depth - 1) if depth > 1 else 1}


def test_arguments_are_json_within_a_limit() -> None:
    for arguments in (
        {},
        {"enable_thinking": False, "list": [1, 2.5, None, {"a": "b"}]},
        of_length(MAX_TEMPLATE_ARGUMENTS),
        nested(32),
    ):
        assert ADAPTER.validate_python(arguments) == arguments


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (of_length(MAX_TEMPLATE_ARGUMENTS + 1), "at most 4096 characters"),
        ({"messages": []}, "may not hold messages"),
        ({"tokenize": True, "chat_template": ""}, "may not hold chat_template, tokenize"),
        (nested(33), "at most 32 deep"),
        (nested(600), "at most 32 deep"),
        ({"a": "\ud800"}, "Unicode"),
        ({"\ud800": 1}, "Unicode"),
        ({"a": [float("nan")]}, "finite"),
    ],
)
def test_others_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ADAPTER.validate_python(arguments)
