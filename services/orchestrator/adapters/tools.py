"""Calls of tools between the stages: read from the generation service, and written as text for those who read text."""

from collections.abc import Iterator, Sequence

from services.orchestrator.core.responses import Called
from shared.pb import generation_pb2 as pb
from shared.records.evolution import Message
from shared.records.tools import Tool, ToolCall, ToolUse
from shared.records.turns import as_question, without_prefill
from shared.text.json_schemas import follows
from shared.text.tool_turns import calls_as_text, with_calls


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


def as_plain_turns(messages: Sequence[Message]) -> Iterator[Message]:
    """The conversation for those who know no tools: calls stand as canonical JSON in the assistant's text, and results
    are turns of the user's.
    """
    for message in messages:
        if message.role == "tool":
            yield Message("user", message.content)
        else:
            yield Message(message.role, with_calls(message.content, message.tool_calls))


def as_asked(messages: Sequence[Message]) -> Iterator[Message]:
    """The conversation as mutation reads it: in plain turns, of which the instruction is the last."""
    return as_plain_turns(as_question(messages))


def as_judged(messages: Sequence[Message]) -> Iterator[Message]:
    """The conversation as rewards read it: as mutation does, unless the answer goes on from a tool's result, which then
    is the last turn.
    """
    asked = without_prefill(messages)
    return as_plain_turns(asked) if asked[-1].role == "tool" else as_asked(messages)


def _valid(call: ToolCall, tools: Sequence[Tool]) -> bool:
    tool = next((tool for tool in tools if tool.name == call.name), None)
    return tool is not None and follows(tool.parameters, call.arguments)
