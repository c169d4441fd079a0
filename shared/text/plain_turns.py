"""Conversations for those who read text only: rewards and mutation."""

from collections.abc import Iterator, Sequence

from shared.records.evolution import Message
from shared.records.turns import as_question, without_prefill
from shared.text.tool_turns import with_calls


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
