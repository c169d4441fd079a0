"""Fields that shape sampling: what is refused, and the sentences that say so."""

from typing import Any

import httpx
import pytest

from tests.unit.gateway.api.test_fields import tool
from tests.unit.gateway.apps import BODY, CHAT, shaped

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"logit_bias": [[1, 2]]}, "logit_bias"),
    ({"logit_bias": {"1": 101}}, "logit_bias"),
    ({"logit_bias": {"1": True}}, "logit_bias"),
    ({"logit_bias": {"one": 2}}, "logit_bias"),
    ({"logit_bias": {"01": 2}}, "logit_bias"),
    ({"logit_bias": {"-1": 2}}, "logit_bias"),
    ({"logit_bias": {"9999999999": 2}}, "logit_bias"),
    ({"presence_penalty": 2.1}, "presence_penalty"),
    ({"frequency_penalty": -2.1}, "frequency_penalty"),
    ({"frequency_penalty": "1"}, "frequency_penalty"),
    ({"repetition_penalty": 0}, "repetition_penalty"),
    ({"repetition_penalty": 101}, "repetition_penalty"),
    ({"min_p": 1.1}, "min_p"),
    ({"ignore_eos": 1}, "ignore_eos"),
    ({"ignore_eos": True, "response_format": {"type": "json_object"}}, "ignore_eos"),
    ({"ignore_eos": True, "tools": [tool("a")], "tool_choice": "required"}, "ignore_eos"),
]


@pytest.mark.parametrize(("fields", "param"), REFUSED)
async def test_refuses_naming_the_field(http: httpx.AsyncClient, fields: dict[str, Any], param: str) -> None:
    assert param in shaped(await http.post(CHAT, json=BODY | fields), 400, param)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"presence_penalty": 3}, "presence_penalty must be at most 2, not 3"),
        ({"min_p": -1}, "min_p must be at least 0, not -1"),
        ({"repetition_penalty": 0}, "repetition_penalty must be at least 0.01, not 0"),
        ({"logit_bias": {"1": 200}}, "logit_bias must give numbers from -100 to 100; that of token 1 is none"),
        (
            {"logit_bias": {"the": 1}},
            'logit_bias must have token ids for keys, which are whole numbers from 0, such as "42"',
        ),
        (
            {"ignore_eos": True, "response_format": {"type": "json_object"}},
            "ignore_eos must be false or left out beside response_format: what has a form ends where its form does",
        ),
    ],
)
async def test_says_what_to_do(http: httpx.AsyncClient, fields: dict[str, Any], message: str) -> None:
    response = await http.post(CHAT, json=BODY | fields)
    assert (response.status_code, response.json()["error"]["message"]) == (400, message)
