"""Tools through the adapters: what each stage is told of calls, and whether calls follow their schemas."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from services.generation.parsing import request_from_pb
from services.orchestrator.adapters.generation import GrpcGenerator
from services.orchestrator.adapters.tools import called_of
from services.orchestrator.core.responses import NO_CALLS
from services.orchestrator.core.values import Generate
from shared.pb import generation_pb2 as gpb
from shared.pb import generation_pb2_grpc
from shared.records.evolution import Message
from shared.records.tools import Tool, ToolCall, ToolUse
from shared.rpc.balancing import Replicas
from shared.rpc.server import Server
from shared.text.plain_turns import as_asked, as_judged, as_plain_turns
from tests.unit.orchestrator.test_adapters import REQUEST, Recorder, drained

CALL = ToolCall("weather", '{"days": 2.0, "city": "Rome"}', "c1")
TOOL = Tool(
    "weather", "Tells it.", '{"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}'
)
HELD = (
    Message("user", "Rome?"),
    Message("assistant", "Hm.", (CALL,)),
    Message("tool", "Rain.", tool_call_id="c1"),
    Message("user", "And then?"),
)


def held(*calls: ToolCall, **more: Any) -> gpb.GenerateResult:
    written = [gpb.ToolCall(name=call.name, arguments=call.arguments) for call in calls]
    return gpb.GenerateResult(tool_calls=written, calling=True, **more)


def test_whether_calls_follow_their_tools_schemas() -> None:
    use = ToolUse((TOOL, Tool("now")))
    found = called_of(held(CALL, content="Hm."), use)
    assert (found.begun, found.beside, found.valid) == (True, "Hm.", True)
    assert found.calls == (replace(CALL, id=""),)
    assert found.canonical == '{"name":"weather","arguments":{"city":"Rome","days":2}}'
    for name, arguments, valid in (
        ("weather", '{"city": "Rome", "more": [1]}', True),
        ("weather", '{"city": 1}', False),
        ("weather", "{}", False),
        ("weather", "[]", False),
        ("weather", "Rome", False),
        ("now", "{}", True),
        ("now", "[]", False),
        ("unheard_of", "{}", False),
    ):
        assert called_of(held(ToolCall(name, arguments)), use).valid == valid, (name, arguments)
    both = held(ToolCall("now", "{}"), CALL)
    assert [call.name for call in called_of(both, use).calls] == ["now", "weather"]
    assert [call.name for call in called_of(both, replace(use, parallel=False)).calls] == ["now"]
    assert not called_of(held(ToolCall("now", "{}"), ToolCall("now", "1")), use).valid
    assert called_of(gpb.GenerateResult(), use) == NO_CALLS


def test_those_who_know_no_tools_are_told_of_calls_in_text() -> None:
    text = 'Hm.\n{"name":"weather","arguments":{"city":"Rome","days":2}}'
    assert [(turn.role, turn.content) for turn in as_plain_turns(HELD)] == [
        ("user", "Rome?"),
        ("assistant", text),
        ("user", "Rain."),
        ("user", "And then?"),
    ]


def test_a_result_that_is_answered_stays_last_for_rewards_and_the_instruction_for_mutation() -> None:
    ends_with_result = HELD[:3]
    call = 'Hm.\n{"name":"weather","arguments":{"city":"Rome","days":2}}'
    assert [turn.content for turn in as_judged(ends_with_result)] == ["Rome?", call, "Rain."]
    assert [turn.content for turn in as_asked(ends_with_result)] == [call, "Rain.", "Rome?"]
    for messages in (ends_with_result, HELD, (*ends_with_result, Message("assistant", "So"))):
        for turns in (tuple(as_judged(messages)), tuple(as_asked(messages))):
            assert turns[-1].role == "user"
    assert list(as_judged(HELD)) == list(as_asked(HELD)) == list(as_plain_turns(HELD))


async def test_the_model_is_told_of_tools_and_of_the_calls_so_far() -> None:
    heard: list[gpb.GenerateRequest] = []

    class Listener(Recorder):
        async def Generate(self, request: gpb.GenerateRequest, context: Any) -> AsyncIterator[gpb.GenerateResponse]:  # noqa: N802
            heard.append(request)
            async for response in super().Generate(request, context):
                yield response

    server = Server([])
    server.register(generation_pb2_grpc.add_GenerationServiceServicer_to_server, Listener())
    server.set_ready()
    address = await server.start("127.0.0.1:0")
    effects = [Generate(1, 1, 0, "What then?", (), 8, 0, 1)]
    async with Replicas("generation", address, generation_pb2_grpc.GenerationServiceStub) as generation:
        for choice in ("auto", "none"):
            use = ToolUse((TOOL,), choice)  # type: ignore[arg-type]
            await drained(GrpcGenerator(generation).generate(effects, replace(REQUEST, messages=HELD, tool_use=use), 5))
    await server.stop(0)
    told, untold = heard
    assert [(tool.name, tool.description, tool.parameters) for tool in told.tools] == [
        (TOOL.name, TOOL.description, TOOL.parameters)
    ]
    assert not untold.tools
    messages = request_from_pb(told).sequences[0].messages
    assert [(message.role, message.content) for message in messages] == [
        *((message.role, message.content) for message in HELD[:-1]),
        ("user", "What then?"),
    ]
    assert messages[1].tool_calls == (CALL,)
    assert messages[2].tool_call_id == "c1"
