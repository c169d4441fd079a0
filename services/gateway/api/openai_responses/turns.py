"""A conversation's turns as the items of the Responses API, and back.

An item is a message, a call or a call's output. Here each is a `Message` too, an assistant's with either its text or
one call; a turn of the assistant's is its text with every call that it makes.
"""

from collections.abc import Sequence
from dataclasses import replace

from services.gateway.api import serializers
from shared.errors import InvalidRequest
from shared.records.evolution import Choice, Message, Record


def items_of(turns: Sequence[Message]) -> list[Message]:
    """The turns in pieces: what was thought, the text of a turn, where there is one or nothing else, and its calls."""
    items = []
    for turn in turns:
        if turn.reasoning:
            items.append(Message("assistant", "", reasoning=turn.reasoning))
        if turn.content or not turn.tool_calls:
            items.append(replace(turn, tool_calls=(), reasoning=""))
        items += [Message("assistant", "", (call,)) for call in turn.tool_calls]
    return items


def turns_of(items: Sequence[Message]) -> list[Message]:
    """The items put together: a thought, calls, and the assistant's text beside them, are one turn."""
    turns: list[Message] = []
    for item in items:
        last = turns[-1] if turns else None
        beside = last and (last.tool_calls or item.tool_calls or is_thought(last))
        if last and last.role == item.role == "assistant" and beside and not (item.reasoning and last.content):
            turns[-1] = replace(
                last,
                content=last.content + item.content,
                tool_calls=(*last.tool_calls, *item.tool_calls),
                reasoning=last.reasoning + item.reasoning,
            )
        else:
            turns.append(item)
    return turns


def is_thought(item: Message) -> bool:
    """Whether an item is nothing but what was thought."""
    return bool(item.reasoning) and not item.content and not item.tool_calls


def check_calls(before: Sequence[Message], own: Sequence[Message]) -> None:
    """Each call is followed by its output, before anybody else speaks, and each output follows its call.

    `own` are the items of the call's input, `before` those of the conversation that it goes on from.

    Raises:
        InvalidRequest: names the item that is out of place, in OpenAI's words.
    """
    awaited: list[str] = []
    items = [*before, *own]
    for index, item in enumerate(items):
        where = f"input.{index - len(before)}" if index >= len(before) else "previous_response_id"
        if item.role == "tool":
            if item.tool_call_id not in awaited:
                raise InvalidRequest(
                    f"No tool call found for function call output with call_id {item.tool_call_id}.",
                    field=f"{where}.call_id",
                )
            awaited.remove(item.tool_call_id)
            continue
        if item.role != "assistant" or index in (0, len(before)) or items[index - 1].role != "assistant":
            _check_answered(awaited)
        for call in item.tool_calls:
            if call.id in awaited:
                raise InvalidRequest(f"{where}.call_id is {call.id!r}, as another call's", field=f"{where}.call_id")
            awaited.append(call.id)
    _check_answered(awaited)


def _check_answered(awaited: Sequence[str]) -> None:
    if awaited:
        raise InvalidRequest(f"No tool output found for function call {awaited[0]}.", field="input")


def answer_turn(record: Record, choice: Choice) -> Message:
    """The turn that answers, with the ids of its calls."""
    calls = tuple(
        replace(call, id=serializers.call_id(record, 0, number)) for number, call in enumerate(choice.tool_calls)
    )
    return Message("assistant", choice.text, calls, reasoning=serializers.thought_of(record, choice))


def own_items(record: Record) -> list[Message]:
    """The items that the call itself brought."""
    options = record.request.response
    return items_of(record.request.messages[-options.inputs :] if options else record.request.messages)


def answer_items(record: Record, choice: Choice) -> list[Message]:
    """The items of an answer."""
    return items_of([answer_turn(record, choice)])


def own_id(record: Record, item: Message, number: int) -> str:
    """The id of an item by its number among those that the call brought."""
    kind = "fco" if item.role == "tool" else "fc" if item.tool_calls else "rs" if is_thought(item) else "msg"
    return f"{kind}_{_name(record)}_{number}"


def answer_id(record: Record, item: Message, number: int) -> str:
    """The id of an item by its number among those of the answer; calls are numbered on from the call's own items."""
    if not item.tool_calls:
        return f"{'rs' if is_thought(item) else 'msg'}_{_name(record)}"
    return own_id(record, item, len(own_items(record)) + number)


def _name(record: Record) -> str:
    return record.id.removeprefix("evo_")
