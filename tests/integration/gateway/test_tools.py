"""Tools through OpenAI's SDK: what is stored of them, and answers that call."""

import asyncio
import json
from typing import Any

import openai
import pydantic

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


async def test_functions_are_tools_by_their_older_name(client: openai.OpenAI, store: Store) -> None:
    functions: Any = [{"name": "weather", "parameters": PARAMETERS}]
    calling: Any = {"role": "assistant", "content": None, "function_call": {"name": "weather", "arguments": "{}"}}
    result: Any = {"role": "function", "name": "weather", "content": "Rain."}
    raw = await asyncio.to_thread(
        client.chat.completions.with_raw_response.create,
        model="darwin",
        messages=[*MESSAGES, calling, result, {"role": "user", "content": "And tomorrow?"}],
        functions=functions,
        function_call={"name": "weather"},
        user="calls=2",
    )
    [choice] = raw.parse().choices
    assert (choice.finish_reason, choice.message.content, choice.message.tool_calls) == ("function_call", None, None)
    assert choice.message.function_call is not None
    assert choice.message.function_call.to_dict() == {"name": "weather", "arguments": '{"number": 0}'}
    request = (await store.load(raw.headers["x-darwin-evolution-id"])).request
    tool = Tool("weather", "", json.dumps(PARAMETERS, ensure_ascii=False))
    assert request.tool_use == ToolUse((tool,), "required", "weather", parallel=False, as_functions=True)
    called, answered = request.messages[2:4]
    assert called == Message("assistant", "", (ToolCall("weather", "{}", called.tool_calls[0].id),))
    assert answered == Message("tool", "Rain.", tool_call_id=called.tool_calls[0].id)
    assert request.warnings == ()


def test_a_stream_of_a_function_call(client: openai.OpenAI) -> None:
    functions: Any = [{"name": "weather", "parameters": PARAMETERS}]
    chunks = list(
        client.chat.completions.create(
            model="darwin", messages=MESSAGES, functions=functions, user="calls=1", stream=True
        )
    )
    deltas = [delta for chunk in chunks for choice in chunk.choices if (delta := choice.delta.function_call)]
    assert deltas[0].name == "weather"
    assert "".join(delta.arguments or "" for delta in deltas) == '{"number": 0}'
    assert chunks[-1].choices[0].finish_reason == "function_call"
    assert not any(choice.delta.tool_calls for chunk in chunks for choice in chunk.choices)


async def test_parsed_messages_are_taken_back(client: openai.OpenAI, store: Store) -> None:
    class Answer(pydantic.BaseModel):
        number: int

    tools = [openai.pydantic_function_tool(Answer, name="weather")]
    for user in ("calls=1", 'text={"number": 4}'):
        asked: Any = MESSAGES
        answer = client.chat.completions.parse(
            model="darwin", messages=asked, tools=tools, response_format=Answer, user=user
        )
        message = answer.choices[0].message
        results = [{"role": "tool", "tool_call_id": call.id, "content": "Rain."} for call in message.tool_calls or ()]
        for back in (message, message.model_dump()):
            again: Any = [*MESSAGES, back, *results, {"role": "user", "content": "And?"}]
            raw = client.chat.completions.with_raw_response.create(model="darwin", messages=again)
            request = (await store.load(raw.headers["x-darwin-evolution-id"])).request
            assert request.messages[2].content == (message.content or "")
            assert [call.name for call in request.messages[2].tool_calls] == ["weather"] * len(results)
            assert all("parsed" in warning for warning in request.warnings)
