from collections.abc import Sequence

import pytest

from services.reward.validation import ResponseCandidate, ScoringLimits, check
from shared.errors import InvalidRequest
from shared.records.evolution import Message

LIMITS = ScoringLimits(candidates=2, messages=3, text_characters=5, conversation_characters=20)
USER = Message("user", "Why?")
ANSWER = ResponseCandidate("a", "Yes")


def test_a_good_call_passes() -> None:
    check([Message("system", "Be"), USER], [ANSWER, ResponseCandidate("b", "")], LIMITS)


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
        ([USER], [ResponseCandidate(str(number), "x") for number in range(3)], "candidates"),
        ([USER], [ResponseCandidate("", "x")], "candidates[0].id"),
        ([USER], [ANSWER, ANSWER], "candidates[1].id"),
        ([USER], [ANSWER, ResponseCandidate("b", "123456")], "candidates[1].text"),
    ],
)
def test_a_bad_call_names_the_field(
    messages: Sequence[Message], candidates: Sequence[ResponseCandidate], field: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        check(messages, candidates, LIMITS)
    assert caught.value.field == field
