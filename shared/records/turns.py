"""The turns of a conversation that matter to a search: the instruction, and the beginning of the answer.

The instruction is the last user's turn. System texts may follow it, and so may a last turn of the assistant: the
beginning of the answer, which every response continues. A conversation without a user's turn is instructed by its last
system text.
"""

from collections.abc import Sequence
from dataclasses import replace

from shared.errors import InvalidRequest
from shared.records.evolution import Message


def characters_of(messages: Sequence[Message]) -> int:
    """How many characters a conversation has: its texts, reasoning included, and the names and arguments of calls."""
    calls = (call for message in messages for call in message.tool_calls)
    texts = sum(len(message.content) + len(message.reasoning) for message in messages)
    return texts + sum(len(c.name) + len(c.arguments) for c in calls)


def instruction_index(messages: Sequence[Message]) -> int:
    """Where the instruction stands.

    Raises:
        InvalidRequest: there is neither a user's turn nor a system text.
    """
    for role in ("user", "system"):
        for index in reversed(range(len(messages))):
            if messages[index].role == role:
                return index
    raise InvalidRequest(
        "messages need one of the user's, or of the system at least: it is the instruction", field="messages"
    )


def instruction_of(messages: Sequence[Message]) -> str:
    """The text that mutation rewrites; raises as `instruction_index` does."""
    return messages[instruction_index(messages)].content


def with_instruction(messages: Sequence[Message], instruction: str) -> tuple[Message, ...]:
    """The conversation with another instruction in the same place; raises as `instruction_index` does."""
    index = instruction_index(messages)
    return (*messages[:index], replace(messages[index], content=instruction), *messages[index + 1 :])


def prefill_of(messages: Sequence[Message]) -> str:
    """The beginning of the answer, which responses do not repeat; empty where they begin it themselves."""
    return messages[-1].content if messages and messages[-1].role == "assistant" else ""


def begun_answer(messages: Sequence[Message], thought: int) -> str:
    """The beginning of the answer without the thought that its first `thought` characters are."""
    begun = prefill_of(messages)
    return begun[thought:].lstrip() if thought else begun


def thought_in(begun: str, opening: str, closing: str) -> int:
    """How many characters at the beginning of an answer are a thought, its marks included: none, all of them where it
    goes on, or those up to its end.
    """
    if opening not in begun:
        return 0
    closed = begun.rfind(closing)
    return len(begun) if begun.rfind(opening) > closed else closed + len(closing)


def without_prefill(messages: Sequence[Message]) -> tuple[Message, ...]:
    """The conversation up to the answer, the beginning of the answer left out."""
    return tuple(messages[:-1] if messages and messages[-1].role == "assistant" else messages)


def as_question(messages: Sequence[Message]) -> tuple[Message, ...]:
    """The conversation as a question that ends with its instruction, a user's turn: what a reward model judges an
    answer by, and what mutation reads. System texts that follow the instruction are put before it.

    Raises as `instruction_index` does.
    """
    asked = without_prefill(messages)
    index = instruction_index(asked)
    return (*asked[:index], *asked[index + 1 :], replace(asked[index], role="user"))
