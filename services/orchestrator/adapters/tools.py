"""Tools and their calls on the wire to the generation service."""

from collections.abc import Sequence

from services.orchestrator.core.responses import Called
from shared.pb import generation_pb2 as pb
from shared.records.evolution import Message
from shared.records.tools import Tool, ToolCall, ToolUse
from shared.text.json_schemas import follows
from shared.text.tool_turns import calls_as_text


def called_of(result: pb.GenerateResult, use: ToolUse) -> Called:
    """What a response calls: of several calls the first one only, where there may not be several."""
    calls = tuple(ToolCall(call.name, call.arguments) for call in result.tool_calls)[: None if use.parallel else 1]
    valid = all(_valid(call, use.tools) for call in calls)
    return Called(result.calling, calls, calls_as_text(calls), result.content, valid)


def message_to_pb(message: Message) -> pb.GenerateRequest.Message:
    calls = [pb.ToolCall(name=call.name, arguments=call.arguments, id=call.id) for call in message.tool_calls]
    return pb.GenerateRequest.Message(
        role=message.role,
        content=message.content,
        tool_calls=calls,
        tool_call_id=message.tool_call_id,
        reasoning=message.reasoning,
    )


def tools_to_pb(tools: Sequence[Tool]) -> list[pb.GenerateRequest.Tool]:
    return [
        pb.GenerateRequest.Tool(
            name=tool.name, description=tool.description, parameters=tool.parameters, strict=tool.strict
        )
        for tool in tools
    ]


def _valid(call: ToolCall, tools: Sequence[Tool]) -> bool:
    tool = next((tool for tool in tools if tool.name == call.name), None)
    return tool is not None and follows(tool.parameters, call.arguments)
