"""Tools in `/v1/responses` through OpenAI's SDK, each body and event of its declared type."""

import json
from typing import Any

import httpx
import openai
import pydantic
import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from shared.records.evolution import Message
from shared.records.tools import Tool, ToolCall, ToolUse
from shared.store.evolutions import Store

METHODS = ["sample", "best-of-n", "darwin"]
PARAMETERS = {"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]}
WEATHER: Any = {"type": "function", "name": "weather", "description": "Tells it.", "parameters": PARAMETERS}
NOW: Any = {"type": "function", "name": "now", "strict": True}
TOOLS: Any = [WEATHER, NOW]
CALL: Any = {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": '{"number":1}'}
OUTPUT: Any = {"type": "function_call_output", "call_id": "c1", "output": "Rain."}
ASKED: Any = {"role": "user", "content": "Why?"}
_EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


async def created(http: httpx.AsyncClient, **fields: Any) -> Response:
    answer = await http.post("/v1/responses", json={"model": "darwin", "input": "Why?", "tools": TOOLS} | fields)
    assert answer.status_code == 200, answer.text
    return Response.model_validate_json(answer.content, strict=True)


async def messages_of(store: Store, response: Response) -> tuple[Message, ...]:
    return (await store.load("evo_" + response.id.removeprefix("resp_"))).request.messages


async def messages_items(http: httpx.AsyncClient, response: Response, **query: str) -> list[dict[str, Any]]:
    listed = (await http.get(f"/v1/responses/{response.id}/input_items", params={"order": "asc"} | query)).json()
    return list(listed["data"])


@pytest.mark.parametrize("model", METHODS)
async def test_an_answer_holds_its_calls(http: httpx.AsyncClient, store: Store, model: str) -> None:
    answer = await created(http, model=model, user="calls=2", parallel_tool_calls=True)
    assert answer.status == "completed"
    assert [item.type for item in answer.output] == ["function_call", "function_call"]
    calls: Any = answer.output
    assert [(call.name, call.arguments, call.status) for call in calls] == [
        ("weather", '{"number": 0}', "completed"),
        ("weather", '{"number": 1}', "completed"),
    ]
    assert len({call.call_id for call in calls}) == len({call.id for call in calls}) == 2
    assert all(call.id.startswith("fc_") for call in calls)
    assert (
        answer.tools
        == Response.model_validate(
            answer.model_dump()
            | {"tools": [WEATHER | {"strict": False}, NOW | {"description": None, "parameters": None}]}
        ).tools
    )
    assert (answer.tool_choice, answer.parallel_tool_calls) == ("auto", True)
    assert (answer.model_extra or {})["darwin"]["warnings"] == ["tools[].strict is taken without effect"]
    use = (await store.load("evo_" + answer.id.removeprefix("resp_"))).request.tool_use
    assert use == ToolUse((Tool("weather", "Tells it.", json.dumps(PARAMETERS)), Tool("now", strict=True)))


@pytest.mark.parametrize("model", METHODS)
async def test_the_events_of_calls_are_in_order(http: httpx.AsyncClient, model: str) -> None:
    body = {"model": model, "input": "Why?", "tools": TOOLS, "stream": True, "user": "calls=2"}
    lines = (await http.post("/v1/responses", json=body)).text.splitlines()
    found = [_EVENT.validate_json(line[6:], strict=True) for line in lines if line.startswith("data: ")]
    delta, done = "response.function_call_arguments.delta", "response.function_call_arguments.done"
    types = [event.type for event in found]
    call = ["response.output_item.added", done, "response.output_item.done"]
    assert [kind for kind in types if kind != delta] == [
        "response.created", "response.in_progress", *call, *call, "response.completed"
    ]  # fmt: skip
    assert [event.sequence_number for event in found] == list(range(len(found)))
    for index, item in enumerate(found[-1].response.output):
        mine = [event for event in found if getattr(event, "output_index", None) == index]
        assert (mine[0].item.arguments, mine[0].item.status, mine[0].item.call_id) == ("", "in_progress", item.call_id)
        assert "".join(event.delta for event in mine if event.type == delta) == item.arguments
        [ended] = [event for event in mine if event.type == done]
        assert (ended.arguments, ended.item_id) == (item.arguments, item.id)
        assert mine[-1].item == item


def test_the_sdks_stream_puts_calls_together(client: openai.OpenAI) -> None:
    with client.responses.stream(model="darwin", input="Why?", tools=TOOLS, user="calls=1") as stream:
        for _ in stream:
            pass
        [call] = stream.get_final_response().output
    assert call.type == "function_call"
    assert (call.name, call.arguments) == ("weather", '{"number": 0}')


@pytest.mark.parametrize("model", METHODS)
async def test_a_conversation_goes_on_from_calls(http: httpx.AsyncClient, store: Store, model: str) -> None:
    first = await created(http, model=model, user="calls=2")
    calls: Any = first.output
    outputs = [
        {"type": "function_call_output", "call_id": call.call_id, "output": f"Rain {call.name}."} for call in calls
    ]
    given = [call.model_dump(exclude_none=True) for call in calls]
    references = [{"type": "item_reference", "id": call.id} for call in calls]
    turn = Message("assistant", "", tuple(ToolCall(call.name, call.arguments, call.call_id) for call in calls))
    results = tuple(Message("tool", "Rain weather.", (), call.call_id) for call in calls)
    for more in (
        {"input": outputs, "previous_response_id": first.id},
        {"input": [ASKED, *given, *outputs]},
        {"input": [ASKED, *references, *outputs]},
    ):
        second = await created(http, model=model, **more)
        assert second.output_text == "answer 0"
        assert await messages_of(store, second) == (Message("user", "Why?"), turn, *results)
        third = await created(http, model=model, input="And?", previous_response_id=second.id)
        assert (await messages_of(store, third))[-2:] == (Message("assistant", "answer 0"), Message("user", "And?"))


async def test_items_of_calls_are_listed_and_referred_to(http: httpx.AsyncClient, store: Store) -> None:
    said = {"role": "assistant", "content": "Let me look."}
    parts = [{"type": "input_text", "text": "Ra"}, {"type": "input_text", "text": "in."}]
    answer = await created(http, input=[ASKED, said, CALL, OUTPUT | {"output": parts}])
    asked = (
        Message("user", "Why?"),
        Message("assistant", "Let me look.", (ToolCall("weather", '{"number":1}', "c1"),)),
    )
    assert await messages_of(store, answer) == (*asked, Message("tool", "Rain.", (), "c1"))
    items = await messages_items(http, answer)
    assert [item["type"] for item in items] == ["message", "message", "function_call", "function_call_output"]
    assert len({item["id"] for item in items}) == 4
    call = {"call_id": "c1", "name": "weather", "arguments": '{"number":1}', "status": "completed"}
    assert items[2] == {"type": "function_call", "id": items[2]["id"]} | call
    assert items[3] | {"id": ""} == OUTPUT | {"id": "", "status": "completed"}
    assert [item["id"] for item in await messages_items(http, answer, after=items[1]["id"])] == [
        items[2]["id"], items[3]["id"]
    ]  # fmt: skip
    for again in (items, [{"type": "item_reference", "id": item["id"]} for item in items]):
        assert await messages_of(store, await created(http, input=again)) == await messages_of(store, answer)


@pytest.mark.parametrize(
    ("choice", "stored"),
    [
        ("none", ("none", "", ["weather", "now"])),
        ("required", ("required", "", ["weather", "now"])),
        ({"type": "function", "name": "now"}, ("required", "now", ["weather", "now"])),
        (
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "now"}]},
            ("auto", "", ["now"]),
        ),
    ],
)
async def test_a_choice_of_tools(http: httpx.AsyncClient, store: Store, choice: Any, stored: Any) -> None:
    answer = await created(http, tool_choice=choice, parallel_tool_calls=False)
    use = (await store.load("evo_" + answer.id.removeprefix("resp_"))).request.tool_use
    assert (use.choice, use.name, [tool.name for tool in use.tools], use.parallel) == (*stored, False)
    assert answer.parallel_tool_calls is False
    shown: Any = answer.tool_choice
    assert shown == stored[0] if not stored[1] else shown.name == stored[1]


@pytest.mark.parametrize(
    ("fields", "param", "words"),
    [
        *[
            ({"tools": [{"type": kind}]}, "tools.0.type", "Offer a function")
            for kind in ("web_search", "file_search", "code_interpreter", "computer_use_preview", "mcp", "custom")
        ],
        ({"tool_choice": {"type": "web_search_preview"}}, "tool_choice", "function or allowed_tools"),
        ({"tool_choice": "sometimes"}, "tool_choice", "none, auto, required"),
        ({"tool_choice": {"type": "function", "name": "other"}}, "tool_choice.name", "not among the tools"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.name", "missing"),
        (
            {"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "x"}]}},
            "tool_choice.tools.0.name",
            "not among the tools",
        ),
        ({"tools": [], "tool_choice": "required"}, "tool_choice", "send tools"),
        ({"tools": [NOW, NOW]}, "tools.1.name", "twice"),
        ({"tools": [NOW | {"parameters": {"type": "string"}}]}, "tools.0.parameters", "tools.0.parameters is no"),
        ({"tools": [NOW | {"defer_loading": True}]}, "tools.0.defer_loading", "every tool"),
        ({"input": [ASKED, OUTPUT]}, "input.1.call_id", "No tool call found for function call output with call_id c1."),
        ({"input": [ASKED, CALL]}, "input", "No tool output found for function call c1."),
        ({"input": [ASKED, CALL, ASKED]}, "input", "No tool output found for function call c1."),
        ({"input": [ASKED, CALL, CALL, OUTPUT]}, "input.2.call_id", "another call's"),
        ({"input": [ASKED, CALL, OUTPUT, OUTPUT]}, "input.3.call_id", "No tool call found"),
        ({"input": [ASKED, {"type": "function_call", "call_id": "c", "name": "x"}]}, "input.1.arguments", "missing"),
        ({"input": [ASKED, CALL | {"output": "x"}]}, "input.1.output", "left out"),
        (
            {"input": [ASKED, CALL, OUTPUT | {"output": [{"type": "input_image"}]}]},
            "input.2.output.0.type",
            "input_text",
        ),
        ({"input": [{"type": "reasoning", "id": "rs_1", "output": "x"}]}, "input.0.output", "reasoning"),
        ({"input": [{"type": "item_reference", "id": "fc_1_0"}]}, "input.0.id", "not found"),
        ({"input": [ASKED, {"role": "assistant", "content": "So."}]}, "input.1", "the output of a call"),
    ],
)
async def test_refuses(http: httpx.AsyncClient, fields: dict[str, Any], param: str, words: str) -> None:
    refused = await http.post("/v1/responses", json={"model": "sample", "input": "Why?", "tools": TOOLS} | fields)
    error = refused.json()["error"]
    assert (refused.status_code, error["param"]) == (404 if "not found" in words else 400, param), error
    assert words in error["message"]


async def test_calls_of_the_response_before_must_be_answered(http: httpx.AsyncClient) -> None:
    first = await created(http, user="calls=1")
    body = {"model": "sample", "input": "And?", "previous_response_id": first.id}
    refused = await http.post("/v1/responses", json=body)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "input")
    assert "No tool output found" in refused.json()["error"]["message"]
    answer_only = {"type": "item_reference", "id": "msg_" + first.id.removeprefix("resp_")}
    refused = await http.post("/v1/responses", json={"model": "sample", "input": [answer_only, ASKED]})
    assert (refused.status_code, refused.json()["error"]["param"]) == (404, "input.0.id")


async def test_parsed_outputs_are_taken_back(client: openai.OpenAI, store: Store) -> None:
    class Weather(pydantic.BaseModel):
        number: int

    tools: Any = [openai.pydantic_function_tool(Weather, name="weather")]
    for user in ("calls=1", 'text={"number": 4}'):
        answer = client.responses.parse(model="darwin", input="Why?", tools=tools, text_format=Weather, user=user)
        calls: Any = [item for item in answer.output if item.type == "function_call"]
        outputs = [{"type": "function_call_output", "call_id": call.call_id, "output": "Rain."} for call in calls]
        for back in (answer.output, [item.model_dump() for item in answer.output]):
            again: Any = [ASKED, *back, *outputs, {"role": "user", "content": "And?"}]
            said = (await messages_of(store, client.responses.create(model="darwin", input=again)))[1]
            assert (said.content, len(said.tool_calls)) == (answer.output_text, len(calls))
