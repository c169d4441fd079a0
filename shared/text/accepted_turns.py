"""Changes of a conversation into one that more chat templates accept."""

from collections.abc import Sequence
from dataclasses import replace

from shared.records.evolution import Message


def folded(messages: Sequence[Message]) -> list[Message]:
    """Puts each system text before the text of the user turn that follows it. Where none follows it becomes a user
    turn, before an answer that ends the conversation."""
    folded: list[Message] = []
    pending: list[str] = []
    for message in messages:
        if message.role == "system":
            pending.append(message.content)
        elif message.role == "user" and pending:
            folded.append(replace(message, content=_paragraphs([*pending, message.content])))
            pending = []
        else:
            folded.append(message)
    if pending:
        folded.insert(len(folded) - (messages[-1].role == "assistant"), Message("user", _paragraphs(pending)))
    return folded


def joined(messages: Sequence[Message]) -> list[Message]:
    """Joins turns of one role in a row; a call's result stays a turn of its own."""
    joined: list[Message] = []
    for message in messages:
        if joined and message.role != "tool" and joined[-1].role == message.role:
            last = joined[-1]
            text, calls = _paragraphs([last.content, message.content]), last.tool_calls + message.tool_calls
            thoughts = _paragraphs([last.reasoning, message.reasoning])
            joined[-1] = replace(last, content=text, tool_calls=calls, reasoning=thoughts)
        else:
            joined.append(message)
    return joined


def led(messages: Sequence[Message]) -> list[Message]:
    """Puts an empty user turn before an assistant who speaks first."""
    return [Message("user", ""), *messages] if messages and messages[0].role == "assistant" else list(messages)


def _paragraphs(texts: Sequence[str]) -> str:
    return "\n\n".join(filter(None, texts))
