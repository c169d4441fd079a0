import pytest

from shared.errors import InvalidRequest
from shared.records.evolution import Message
from shared.records.turns import (
    as_question,
    instruction_of,
    prefill_of,
    with_instruction,
    without_prefill,
)

SYSTEM, RULE = Message("system", "Be kind."), Message("system", "Be brief.")
ASKED, TOLD, AGAIN = Message("user", "Why?"), Message("assistant", "So."), Message("user", "And how?")
BEGUN = Message("assistant", "It is ")


@pytest.mark.parametrize(
    ("messages", "instruction", "prefill", "question"),
    [
        ((ASKED,), "Why?", "", (ASKED,)),
        ((SYSTEM, ASKED, TOLD, AGAIN), "And how?", "", (SYSTEM, ASKED, TOLD, AGAIN)),
        ((SYSTEM, ASKED, BEGUN), "Why?", "It is ", (SYSTEM, ASKED)),
        ((ASKED, TOLD, AGAIN, RULE), "And how?", "", (ASKED, TOLD, RULE, AGAIN)),
        ((ASKED, RULE, BEGUN), "Why?", "It is ", (RULE, ASKED)),
        ((SYSTEM, RULE), "Be brief.", "", (SYSTEM, Message("user", "Be brief."))),
        ((SYSTEM, BEGUN), "Be kind.", "It is ", (Message("user", "Be kind."),)),
    ],
)
def test_the_instruction_and_its_place(
    messages: tuple[Message, ...], instruction: str, prefill: str, question: tuple[Message, ...]
) -> None:
    assert (instruction_of(messages), prefill_of(messages)) == (instruction, prefill)
    assert as_question(messages) == question
    rewritten = with_instruction(messages, "Rewritten?")
    assert instruction_of(rewritten) == "Rewritten?"
    assert with_instruction(rewritten, instruction) == messages
    assert len(without_prefill(messages)) == len(messages) - bool(prefill)


def test_an_assistant_alone_is_not_instructed() -> None:
    with pytest.raises(InvalidRequest, match="one of the user's") as caught:
        instruction_of((TOLD,))
    assert caught.value.field == "messages"
