"""Choices among tools, and OpenAI's deprecated functions: what is refused, and what is accepted."""

from typing import Any

import httpx
import pytest

from tests.unit.gateway.api.test_fields import USER, tool
from tests.unit.gateway.apps import BODY, CHAT, shaped

CALLING_A = {"role": "assistant", "content": None, "function_call": {"name": "a", "arguments": "{}"}}


def allowed(*names: str, mode: str = "auto") -> dict[str, Any]:
    tools = [{"type": "function", "function": {"name": name}} for name in names]
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"functions": [{"name": "a"}], "tools": [tool("a")]}, "functions"),
        ({"functions": [{"name": "a"}], "tool_choice": "auto"}, "functions"),
        ({"functions": [{}]}, "functions.0.name"),
        ({"functions": [{"name": "a"}, {"name": "a"}]}, "functions.1.name"),
        ({"functions": [{"name": "a", "parameters": {"type": "string"}}]}, "functions.0.parameters"),
        ({"functions": [{"name": "a"}], "function_call": {"name": "b"}}, "function_call.name"),
        ({"function_call": {"name": "b"}}, "function_call"),
        ({"functions": [{"name": "a"}], "function_call": "required"}, "function_call"),
        ({"messages": [USER, {"role": "function", "name": "a", "content": "x"}]}, "messages.1.name"),
        ({"messages": [USER, CALLING_A, {"role": "function", "name": "b", "content": "x"}]}, "messages.2.name"),
        ({"messages": [USER, CALLING_A, USER]}, "messages.1.tool_calls"),
        ({"messages": [{**CALLING_A, "role": "user", "content": "x"}]}, "messages.0.function_call"),
        ({"tool_choice": "sometimes"}, "tool_choice"),
        ({"tool_choice": {"type": "custom", "custom": {"name": "a"}}}, "tool_choice"),
        ({"tools": [tool("a")], "tool_choice": allowed("b")}, "tool_choice.allowed_tools.tools.0.function.name"),
    ],
)
async def test_refuses_naming_the_field(http: httpx.AsyncClient, fields: dict[str, Any], param: str) -> None:
    message = shaped(await http.post(CHAT, json=BODY | fields), 400, param)
    assert param.rpartition(".")[2] in message or param in message


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [tool("a"), tool("b")], "tool_choice": allowed("b")},
        {"tools": [tool("a"), tool("b")], "tool_choice": allowed("b", mode="required")},
        {"functions": [{"name": "a", "parameters": {"type": "object"}}], "function_call": "auto"},
        {"functions": [{"name": "a"}], "function_call": {"name": "a"}},
        {"functions": [{"name": "a"}], "function_call": "none", "tools": []},
        {
            "messages": [USER, CALLING_A, {"role": "function", "name": "a", "content": "x"}] * 2,
            "functions": [{"name": "a"}],
        },
        {"messages": [USER, CALLING_A, {"role": "function", "name": "a", "content": "x"}]},
    ],
)
async def test_accepts(http: httpx.AsyncClient, fields: dict[str, Any]) -> None:
    assert shaped(await http.post(CHAT, json=BODY | fields), 409) == "accepted"
