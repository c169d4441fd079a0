"""Fields that are refused, those that change nothing, and the sentences that say so."""

import json
from typing import Any

import httpx
import pytest

from tests.unit.gateway.apps import BODY, CHAT, shaped

USER = {"role": "user", "content": "Why?"}
BEGUN = {"role": "assistant", "content": "It is "}
NAMED = {"type": "function", "function": {"name": "b"}}
REFUSED_PART = {"type": "refusal", "refusal": "I won't."}
SCHEMA = {"name": "answer", "schema": {"type": "object"}}


def tool(name: str, parameters: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": parameters or {"type": "object"}}}


def calling(*ids: str) -> list[dict[str, Any]]:
    calls = [{"id": name, "type": "function", "function": {"name": "a", "arguments": "{}"}} for name in ids]
    return [{"role": "assistant", "content": None, "tool_calls": calls}]


def result(name: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": name, "content": "x"}


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"tools": [{"type": "function"}]}, "tools.0.function"),
    ({"tools": [{"type": "custom", "custom": {"name": "a"}}]}, "tools.0.type"),
    ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools.0.function.name"),
    ({"tools": [tool("a"), tool("a")]}, "tools.1.function.name"),
    ({"tools": [tool("a", {"type": "objekt"})]}, "tools.0.function.parameters"),
    ({"tools": [tool("a", {"type": "string"})]}, "tools.0.function.parameters"),
    ({"tools": [tool("a", {"$ref": "http://127.0.0.1:9/a.json"})]}, "tools.0.function.parameters"),
    ({"tools": [tool("a", {"title": "\ud800"})]}, "tools.0.function.parameters"),
    ({"tool_choice": "required"}, "tool_choice"),
    ({"tool_choice": NAMED}, "tool_choice"),
    (
        {"tools": [tool("a")], "tool_choice": {"type": "function", "function": {"name": "b"}}},
        "tool_choice.function.name",
    ),
    ({"min_tokens": 2}, "min_tokens"),
    ({"stop_token_ids": [1]}, "stop_token_ids"),
    ({"chat_template": "x"}, "chat_template"),
    ({"cache_salt": "x"}, "cache_salt"),
    ({"web_search_options": {}}, "web_search_options"),
    ({"audio": {"voice": "alloy", "format": "wav"}}, "audio"),
    ({"parallel_tool_calls": "yes"}, "parallel_tool_calls"),
    ({"top_logprobs": 2}, "top_logprobs"),
    ({"logprobs": False, "top_logprobs": 2}, "top_logprobs"),
    ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
    ({"logprobs": True, "top_logprobs": -1}, "top_logprobs"),
    ({"logprobs": 1}, "logprobs"),
    ({"logprobs": True, "max_tokens": 4096, "top_logprobs": 20, "darwin": {"mutants": 32}}, "top_logprobs"),
    ({"best_of": 2}, "best_of"),
    ({"echo": True}, "echo"),
    ({"use_beam_search": True}, "use_beam_search"),
    ({"skip_special_tokens": False}, "skip_special_tokens"),
    ({"add_generation_prompt": False}, "add_generation_prompt"),
    ({"response_format": {"type": "structural_tag"}}, "response_format.type"),
    ({"response_format": {"type": "json_object", "json_schema": SCHEMA}}, "response_format.json_schema"),
    ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
    ({"response_format": {"type": "json_schema", "json_schema": {"schema": {}}}}, "response_format.json_schema.name"),
    (
        {"response_format": {"type": "json_schema", "json_schema": SCHEMA | {"schema": []}}},
        "response_format.json_schema.schema",
    ),
    ({"response_format": {"type": "json_object", "x": 1}}, "response_format.x"),
    ({"structured_outputs": {"regex": "a+", "choice": ["a"]}}, "structured_outputs.choice"),
    ({"structured_outputs": {"choice": []}}, "structured_outputs.choice"),
    ({"structured_outputs": {"guided": "a"}}, "structured_outputs.guided"),
    ({"structured_outputs": {"structural_tag": "a"}}, "structured_outputs.structural_tag"),
    ({"structured_outputs": {"regex": ""}}, "structured_outputs.regex"),
    ({"structured_outputs": {"json": 5}}, "structured_outputs.json"),
    ({"response_format": {"type": "json_object"}, "structured_outputs": {"regex": "a"}}, "structured_outputs"),
    ({"guided_json": {}}, "guided_json"),
    ({"modalities": ["audio"]}, "modalities"),
    ({"modalities": ["text", "audio"]}, "modalities"),
    ({"service_tier": "slow"}, "service_tier"),
    ({"verbosity": "most"}, "verbosity"),
    ({"safety_identifier": 1}, "safety_identifier"),
    ({"reasoning_effort": "lots"}, "reasoning_effort"),
    ({"prompt_cache_options": "x"}, "prompt_cache_options"),
    ({"continue_final_message": True}, "continue_final_message"),
    ({"messages": [USER, BEGUN], "continue_final_message": False}, "continue_final_message"),
    (
        {"messages": [USER, BEGUN], "continue_final_message": True, "add_generation_prompt": True},
        "add_generation_prompt",
    ),
    ({"unheard_of": 1}, "unheard_of"),
    ({"unheard_of": None}, "unheard_of"),
    ({"top_k": -2}, "top_k"),
    ({"top_k": 2**31}, "top_k"),
    ({"top_k": True}, "top_k"),
    ({"temperature": 2.1}, "temperature"),
    ({"temperature": "0.5"}, "temperature"),
    ({"temperature": True}, "temperature"),
    ({"top_p": 0}, "top_p"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"max_tokens": 5.5}, "max_tokens"),
    ({"max_tokens": "5"}, "max_tokens"),
    ({"max_tokens": 5000}, "max_tokens"),
    ({"seed": -(2**63) - 1}, "seed"),
    ({"seed": 0.5}, "seed"),
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
    ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.tool_call_id"),
    ({"messages": [{"role": "tool", "content": "x", "tool_call_id": "c"}, USER]}, "messages.0.tool_call_id"),
    ({"messages": [*calling("c"), USER]}, "messages.0.tool_calls"),
    ({"messages": [*calling("c", "c"), USER]}, "messages.0.tool_calls"),
    ({"messages": [*calling("c", "d"), result("c"), USER]}, "messages.0.tool_calls"),
    ({"messages": [*calling("c"), result("d"), USER]}, "messages.1.tool_call_id"),
    ({"messages": [*calling("c"), result("c"), result("c"), USER]}, "messages.2.tool_call_id"),
    ({"messages": [{**USER, "tool_call_id": "c"}]}, "messages.0.tool_call_id"),
    ({"messages": [{**calling("c")[0], "role": "user", "content": "x"}]}, "messages.0.tool_calls"),
    ({"messages": [{"role": "function", "content": "x", "name": "a"}]}, "messages.0.name"),
    ({"messages": [{"role": "user"}]}, "messages.0.content"),
    ({"messages": [{"role": "user", "content": None}]}, "messages.0.content"),
    ({"messages": [{"role": "user", "content": "a\ud800"}]}, "messages.0.content.0.text"),
    ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages.0.content.0.type"),
    ({"messages": [{"role": "system", "content": None}, USER]}, "messages.0.content"),
    ({"messages": [{"role": "user", "content": "x", "name": 1}]}, "messages.0.name"),
    ({"messages": [{"role": "user", "content": "x", "refusal": "no"}]}, "messages.0.refusal"),
    ({"messages": [{"role": "assistant", "content": "x", "refusal": "no"}, USER]}, "messages.0.refusal"),
    ({"messages": [{"role": "user", "content": [REFUSED_PART]}]}, "messages.0.content.0.type"),
    ({"messages": [{"role": "assistant", "content": [{"type": "refusal"}]}, USER]}, "messages.0.content.0.refusal"),
    ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages.0.content.0.text"),
    (
        {"messages": [{"role": "assistant", "content": [REFUSED_PART | {"text": "x"}]}, USER]},
        "messages.0.content.0.text",
    ),
    ({"messages": [{"role": "assistant", "content": "x", "tool_calls": [{}]}, USER]}, "messages.0.tool_calls.0.id"),
    ({"messages": [{"role": "assistant", "content": "x", "reasoning": ["So."]}, USER]}, "messages.0.reasoning"),
    ({"messages": [USER | {"reasoning_content": "So."}]}, "messages.0.reasoning_content"),
    (
        {"messages": [{"role": "assistant", "content": "x", "reasoning": "So.", "reasoning_content": "No."}, USER]},
        "messages.0.reasoning",
    ),
    ({"messages": [{"role": "assistant", "content": "x", "annotations": [{}]}, USER]}, "messages.0.annotations"),
    ({"messages": [{"role": "assistant", "content": "x"}]}, "messages"),
    ({"messages": [{"role": "user", "content": " "}, BEGUN]}, "messages.0.content"),
    ({"messages": [{"role": "system", "content": ""}]}, "messages.0.content"),
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
        {"tools": [], "tool_choice": "none", "functions": [], "logit_bias": {}, "top_logprobs": 0, "logprobs": False},
        {"tool_choice": "auto", "parallel_tool_calls": True, "function_call": "auto"},
        {"logprobs": True, "top_logprobs": 20},
        {"logprobs": True},
        {"parallel_tool_calls": False, "function_call": "none"},
        {"presence_penalty": 0, "frequency_penalty": 0.0, "repetition_penalty": 1.0, "length_penalty": 1, "min_p": 0},
        {"use_beam_search": False, "best_of": 1, "ignore_eos": False, "echo": False},
        {"presence_penalty": 2, "frequency_penalty": -2.0, "repetition_penalty": 1.1, "min_p": 0.05},
        {"logit_bias": {"0": -100, "50256": 1.5}},
        {"ignore_eos": True, "tools": [tool("a")], "response_format": {"type": "text"}},
        {"best_of": None, "add_generation_prompt": True, "skip_special_tokens": True},
        {"response_format": {"type": "text"}, "modalities": ["text"]},
        {"darwin": None, "metadata": None, "stop": None, "seed": None, "n": None, "user": None, "temperature": None},
        {"max_tokens": 200.0, "n": 1.0, "seed": 5.0, "top_k": 40.0, "darwin": {"period": 20.0}},
        {"seed": -1, "top_k": -1},
        {"stop": "x", "stream": False, "stream_options": None},
        {"stream": True, "stream_options": {"include_usage": False, "include_obfuscation": False}},
        {"messages": [USER, BEGUN]},
        {"messages": [USER, BEGUN], "continue_final_message": True, "add_generation_prompt": False},
        {"messages": [USER, {"role": "assistant", "content": None}], "add_generation_prompt": False},
        {"messages": [USER, {"role": "system", "content": "x"}], "continue_final_message": False},
        {"messages": [USER, {"role": "developer", "content": "x"}, BEGUN]},
        {"messages": [{"role": "system", "content": "x"}], "add_generation_prompt": True},
        {"prompt_cache_options": None, "reasoning_effort": None, "darwin": {"progress": "off"}},
        {"messages": [{"role": "assistant", "content": None, "tool_calls": []}, USER]},
        {"messages": [{"role": "assistant", "content": "x", "tool_calls": None, "tool_call_id": None}, USER]},
        {"messages": [*calling("c", "d"), result("d"), result("c"), USER]},
        {"messages": [*calling("c"), result("c"), *calling("c"), result("c"), USER], "tools": [tool("a")]},
        {"tools": [tool("a", {"type": "object", "properties": {"x": {"pattern": "(?=a)a"}}}), tool("b")]},
        {"tools": [{"type": "function", "function": {"name": "a"}}], "tool_choice": "auto"},
        {"tools": [tool("a")], "tool_choice": "none", "parallel_tool_calls": False},
        {"tools": [tool("a")], "tool_choice": "required"},
        {"messages": [{"role": "assistant", "content": "", "refusal": "I won't."}, USER]},
        {"messages": [{"role": "assistant", "content": [REFUSED_PART, {"type": "text", "text": "x"}]}, USER]},
        {"min_tokens": 0, "stop_token_ids": [], "include_stop_str_in_output": False, "chat_template_kwargs": {}},
        {"chat_template_kwargs": {"enable_thinking": False, "date_string": "x" * 900}},
        {"add_special_tokens": False, "documents": None, "include_reasoning": True, "mm_processor_kwargs": None},
        {"tools": [tool("b")], "tool_choice": NAMED},
        {"messages": [{"role": "assistant", "content": None, "tool_calls": None, "function_call": None}, USER]},
        {"messages": [{"role": "assistant", "content": None, "refusal": "I won't."}, USER]},
        {"messages": [{"role": "assistant", "content": "So.", "annotations": [], "reasoning": None}, USER]},
        {"messages": [{"role": "assistant", "content": "So.", "reasoning_content": None, "audio": None}, USER]},
        {"messages": [{"role": "assistant", "content": "x", "reasoning": "So.", "reasoning_content": "So."}, USER]},
        {"reasoning_effort": "high", "include_reasoning": False},
    ],
)
async def test_accepts_what_changes_nothing(http: httpx.AsyncClient, fields: dict[str, Any]) -> None:
    assert shaped(await http.post(CHAT, json=BODY | fields), 409) == "accepted"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"darwin": {"mutants": 40}}, "darwin.mutants must be at most 32, not 40"),
        ({"chat_template_kwargs": {"tools": []}}, "chat_template_kwargs may not hold tools: leave it out"),
        ({"chat_template_kwargs": []}, "chat_template_kwargs must be an object, not a list"),
        ({"top_p": 0}, "top_p must be greater than 0, not 0"),
        ({"temperature": 2.5}, "temperature must be at most 2, not 2.5"),
        ({"temperature": "0.5"}, 'temperature must be a number, not "0.5"'),
        ({"n": True}, "n must be a whole number, not true"),
        ({"n": 1e300}, "n must be at most 257"),
        ({"max_tokens": 2.5}, "max_tokens must be a whole number, not 2.5"),
        ({"stop": ["x" * 257]}, "stop.0 must have at most 256 characters, not 257"),
        ({"stop": [""]}, "stop.0 must have 1 or more characters, not 0"),
        ({"stop": ["x"] * 5}, "stop must have at most 4 items, not 5"),
        ({"metadata": {"x" * 65: ""}}, f"the key of metadata.{'x' * 65} must have at most 64 characters, not 65"),
        ({"messages": []}, "messages must have 1 or more items, not 0"),
        ({"messages": [1]}, "messages.0 must be an object, not 1"),
        ({"stream": "yes"}, 'stream must be true or false, not "yes"'),
        ({"verbosity": "most"}, "verbosity must be 'low', 'medium' or 'high', not \"most\""),
        ({"functions": [1]}, "functions.0 must be an object, not 1"),
        ({"function_call": 1}, "function_call must be none, auto, or an object"),
        (
            {"tool_choice": "any"},
            "tool_choice must be none, auto, required, or an object with the type function or allowed_tools",
        ),
        ({"audio": {}}, "audio must be left out: answers are text"),
        ({"unheard_of": 1}, "unheard_of is not supported: leave it out"),
        (
            {"darwin": {"method": "best-of-n"}},
            "darwin.method is not supported: the name of the model chooses the method (GET /v1/models)",
        ),
    ],
)
async def test_says_what_to_do(http: httpx.AsyncClient, fields: dict[str, Any], message: str) -> None:
    response = await http.post(CHAT, json=BODY | fields)
    assert response.status_code == 400
    assert response.json()["error"]["message"] == message


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
