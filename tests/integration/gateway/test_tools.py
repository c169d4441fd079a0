"""Tools through OpenAI's SDK: what is stored of them, and answers that call."""

import asyncio
import json
from typing import Any

import openai

from shared.records.evolution import Message
from shared.records.tools import Tool, ToolCall, ToolUse
from shared.store.evolutions import Store
from tests.integration.gateway.running import MESSAGES

PARAMETERS = {"type": "object", "properties": {"city": {"type": "string", "description": "Größe"}}}
TOOLS: Any = [
    {"type": "function", "function": {"name": "weather", "description": "Tells it.", "parameters": PARAMETERS}},
    {"type": "function", "function": {"name": "now", "strict": True}},
]
CALLED: Any = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": ""}}],
}
RESULT: Any = {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "Rain."}]}


async def test_what_was_asked_is_stored_and_shown(client: openai.OpenAI, store: Store) -> None:
    raw = await asyncio.to_thread(
        client.chat.completions.with_raw_response.create,
        model="darwin",
        messages=[*MESSAGES, CALLED, RESULT, {"role": "user", "content": "And tomorrow?"}],
        tools=TOOLS,
        tool_choice="none",
        parallel_tool_calls=False,
    )
    request = (await store.load(raw.headers["x-darwin-evolution-id"])).request
    assert request.tool_use == ToolUse(
        (Tool("weather", "Tells it.", json.dumps(PARAMETERS, ensure_ascii=False)), Tool("now", strict=True)),
        choice="none",
        parallel=False,
    )
    assert request.messages[2:] == (
        Message("assistant", "", (ToolCall("weather", "{}", "c1"),)),
        Message("tool", "Rain.", tool_call_id="c1"),
        Message("user", "And tomorrow?"),
    )
    assert request.warnings == ("tools[].function.strict is taken without effect",)
    shown: Any = await asyncio.to_thread(
        client.get, f"/evolutions/{raw.headers['x-darwin-evolution-id']}", cast_to=object
    )
    assert [tool["name"] for tool in shown["tools"]] == ["weather", "now"]
    assert (shown["tool_choice"], shown["parallel_tool_calls"]) == ("none", False)
    assert shown["messages"][2]["tool_calls"] == [{"name": "weather", "arguments": "{}", "id": "c1"}]
    assert shown["messages"][3]["tool_call_id"] == "c1"


def test_an_answer_holds_its_calls(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="darwin", messages=MESSAGES, tools=TOOLS, user="calls=2")
    [choice] = answer.choices
    assert (choice.finish_reason, choice.message.content) == ("tool_calls", None)
    calls: Any = choice.message.tool_calls
    assert [(call.type, call.function.name, call.function.arguments) for call in calls] == [
        ("function", "weather", '{"number": 0}'),
        ("function", "weather", '{"number": 1}'),
    ]
    assert len({call.id for call in calls}) == 2
    plain = client.chat.completions.create(model="darwin", messages=MESSAGES, tools=TOOLS)
    assert plain.choices[0].finish_reason == "stop"
    assert "tool_calls" not in plain.choices[0].message.to_dict()


def test_a_stream_holds_the_same_calls_in_pieces(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(model="darwin", messages=MESSAGES, tools=TOOLS, user="calls=2") as stream:
        for _ in stream:
            pass
        [choice] = stream.get_final_completion().choices
    assert choice.finish_reason == "tool_calls"
    calls: Any = choice.message.tool_calls
    assert [(call.function.name, call.function.arguments) for call in calls] == [
        ("weather", '{"number": 0}'),
        ("weather", '{"number": 1}'),
    ]
    assert all(call.id.startswith("call_") for call in calls)


async def test_a_demanded_call_is_stored(client: openai.OpenAI, store: Store) -> None:
    named: Any = {"type": "function", "function": {"name": "now"}}
    for choice, name in (("required", ""), (named, "now")):
        raw = await asyncio.to_thread(
            client.chat.completions.with_raw_response.create,
            model="darwin",
            messages=MESSAGES,
            tools=TOOLS,
            tool_choice=choice,
        )
        use = (await store.load(raw.headers["x-darwin-evolution-id"])).request.tool_use
        assert (use.choice, use.name, use.parallel) == ("required", name, True)
