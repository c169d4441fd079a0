"""Fields that are refused, and those that change nothing."""

import json
from typing import Any

import httpx
import pytest

from tests.unit.gateway.apps import BODY, CHAT, shaped

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"tools": []}, "tools"),
    ({"tool_choice": "none"}, "tool_choice"),
    ({"functions": []}, "functions"),
    ({"logprobs": True}, "logprobs"),
    ({"top_logprobs": 2}, "top_logprobs"),
    ({"logit_bias": {"1": 2}}, "logit_bias"),
    ({"presence_penalty": 0.1}, "presence_penalty"),
    ({"frequency_penalty": -0.1}, "frequency_penalty"),
    ({"response_format": {"type": "json_object"}}, "response_format.type"),
    ({"modalities": ["audio"]}, "modalities.0"),
    ({"service_tier": "flex"}, "service_tier"),
    ({"store": True}, "store"),
    ({"reasoning_effort": "low"}, "reasoning_effort"),
    ({"unheard_of": 1}, "unheard_of"),
    ({"unheard_of": None}, "unheard_of"),
    ({"top_k": 5}, "top_k"),
    ({"temperature": 2.1}, "temperature"),
    ({"temperature": "0.5"}, "temperature"),
    ({"temperature": True}, "temperature"),
    ({"top_p": 0}, "top_p"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"max_tokens": 5.0}, "max_tokens"),
    ({"max_tokens": 5000}, "max_tokens"),
    ({"seed": -1}, "seed"),
    ({"seed": 2**63}, "seed"),
    ({"stop": ["a"] * 5}, "stop"),
    ({"stop": [""]}, "stop.0"),
    ({"stop": 5}, "stop"),
    ({"n": 0}, "n"),
    ({"n": 7}, "n"),
    ({"stream": "yes"}, "stream"),
    ({"store": 0}, "store"),
    ({"logprobs": 0.0}, "logprobs"),
    ({"stream_options": {"include_usage": True}}, "stream_options"),
    ({"stream": True, "stream_options": {"x": 1}}, "stream_options.x"),
    ({"user": "x" * 257}, "user"),
    ({"user": "\ud800"}, "user"),
    ({"metadata": {str(i): "" for i in range(17)}}, "metadata"),
    ({"metadata": {"x" * 65: ""}}, "metadata." + "x" * 65),
    ({"metadata": {"x": "y" * 513}}, "metadata.x"),
    ({"metadata": {"x": 1}}, "metadata.x"),
    ({"model": 1}, "model"),
    ({"messages": []}, "messages"),
    ({"messages": "Why?"}, "messages"),
    ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role"),
    ({"messages": [{"role": "user"}]}, "messages.0.content"),
    ({"messages": [{"role": "user", "content": None}]}, "messages.0.content"),
    ({"messages": [{"role": "user", "content": "a\ud800"}]}, "messages.0.content.0.text"),
    ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages.0.content.0.type"),
    ({"messages": [{"role": "user", "content": "x", "name": "Ann"}]}, "messages.0.name"),
    ({"messages": [{"role": "assistant", "content": "x", "tool_calls": []}]}, "messages.0.tool_calls"),
    ({"messages": [{"role": "assistant", "content": "x"}]}, "messages.0.role"),
    ({"darwin": {"xyz": 1}}, "darwin.xyz"),
    ({"darwin": {"cycles": 9}}, "darwin.cycles"),
    ({"darwin": {"cycles": 0}}, "darwin.cycles"),
    ({"darwin": {"mutants": 33}}, "darwin.mutants"),
    ({"darwin": {"period": 0}}, "darwin.period"),
    ({"darwin": {"survivors": 5}}, "darwin.survivors"),
    ({"darwin": {"lookahead": 513}}, "darwin.lookahead"),
    ({"darwin": {"max_generated_tokens": 0}}, "darwin.max_generated_tokens"),
    ({"darwin": {"max_reward_calls": 0}}, "darwin.max_reward_calls"),
    ({"darwin": {"deadline_ms": 99}}, "darwin.deadline_ms"),
    ({"darwin": {"profile": "../x"}}, "darwin.profile"),
    ({"darwin": []}, "darwin"),
]


@pytest.mark.parametrize(("fields", "param"), REFUSED)
async def test_refuses_naming_the_field(http: httpx.AsyncClient, fields: dict[str, Any], param: str) -> None:
    content = json.dumps(BODY | fields)
    response = await http.post(CHAT, content=content, headers={"content-type": "application/json"})
    message = shaped(response, 400, param)
    assert param.rpartition(".")[2] in message or param in message


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": None, "tool_choice": None, "functions": None, "logit_bias": None, "top_logprobs": None},
        {"logprobs": False, "presence_penalty": 0, "frequency_penalty": 0.0, "store": False},
        {"response_format": {"type": "text"}, "modalities": ["text"], "service_tier": "auto"},
        {"darwin": None, "metadata": None, "stop": None, "seed": None, "n": None, "user": None, "temperature": None},
        {"stop": "x", "stream": False, "stream_options": None},
        {"stream": True, "stream_options": {"include_usage": False, "include_obfuscation": False}},
    ],
)
async def test_accepts_what_changes_nothing(http: httpx.AsyncClient, fields: dict[str, Any]) -> None:
    assert shaped(await http.post(CHAT, json=BODY | fields), 409) == "accepted"


@pytest.mark.parametrize("path", [CHAT, "/v1/evolutions"])
@pytest.mark.parametrize("field", ["api_key", "base_url", "darwin.endpoint", "darwin.redis_url", "darwin.generation"])
async def test_a_caller_chooses_neither_endpoints_nor_credentials(
    http: httpx.AsyncClient, path: str, field: str
) -> None:
    value = "http://169.254.169.254/latest/meta-data"
    outer, _, inner = field.rpartition(".")
    chosen = {outer: {inner: value}} if outer else {inner: value}
    message = shaped(await http.post(path, json=BODY | chosen), 400, field)
    assert inner in message
    assert value not in message


async def test_evolutions_do_not_stream(http: httpx.AsyncClient) -> None:
    shaped(await http.post("/v1/evolutions", json=BODY | {"stream": True}), 400, "stream")
    shaped(await http.post("/v1/evolutions", json=BODY | {"stream_options": {}}), 400, "stream_options")
    assert shaped(await http.post("/v1/evolutions", json=BODY | {"stream": False}), 409) == "accepted"
