from collections.abc import Sequence

import pytest

from services.reward.validation import Candidate, Limits, check
from shared.errors import InvalidRequest
from shared.records.evolution import Message

LIMITS = Limits(candidates=2, messages=3, text_characters=5, conversation_characters=20)
USER = Message("user", "Why?")
ANSWER = Candidate("a", "Yes")


def test_a_good_call_passes() -> None:
    check([Message("system", "Be"), USER], [ANSWER, Candidate("b", "")], LIMITS)


@pytest.mark.parametrize(
    ("messages", "candidates", "field"),
    [
        ([], [ANSWER], "messages"),
        ([USER] * 4, [ANSWER], "messages"),
        ([Message("tool", "x"), USER], [ANSWER], "messages[0].role"),
        ([Message("", "x"), USER], [ANSWER], "messages[0].role"),
        ([USER, Message("assistant", "x")], [ANSWER], "messages[1].role"),
        ([Message("user", "x" * 21)], [ANSWER], "messages"),
        ([USER], [], "candidates"),
        ([USER], [Candidate(str(number), "x") for number in range(3)], "candidates"),
        ([USER], [Candidate("", "x")], "candidates[0].id"),
        ([USER], [ANSWER, ANSWER], "candidates[1].id"),
        ([USER], [ANSWER, Candidate("b", "123456")], "candidates[1].text"),
    ],
)
def test_a_bad_call_names_the_field(messages: Sequence[Message], candidates: Sequence[Candidate], field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        check(messages, candidates, LIMITS)
    assert caught.value.field == field
