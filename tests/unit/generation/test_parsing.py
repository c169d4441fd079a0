"""A call carries its conversation with each sequence, or once for all of them, and means the same."""

import pytest

from services.generation.messages import RawPrompt
from services.generation.parsing import request_from_pb
from shared.errors import InvalidRequest
from shared.pb import generation_pb2 as pb
from shared.records.evolution import Message

SAID = (Message("user", "Hi"), Message("assistant", "Hello"), Message("user", "Why?"), Message("assistant", "It "))


def turns(messages: tuple[Message, ...]) -> list[pb.GenerateRequest.Message]:
    return [pb.GenerateRequest.Message(role=message.role, content=message.content) for message in messages]


def conversation(instruction: int = 2) -> pb.GenerateRequest.Conversation:
    return pb.GenerateRequest.Conversation(messages=turns(SAID), instruction=instruction)


def test_the_conversation_once_means_the_same_as_with_each_sequence() -> None:
    mutant = (*SAID[:2], Message("user", "Why, please?"), SAID[3])
    apart = pb.GenerateRequest(
        sequences=[
            pb.GenerateRequest.Sequence(id="0", messages=turns(SAID), max_new_tokens=3),
            pb.GenerateRequest.Sequence(id="1", messages=turns(mutant), max_new_tokens=3),
        ]
    )
    once = pb.GenerateRequest(
        sequences=[
            pb.GenerateRequest.Sequence(id="0", max_new_tokens=3),
            pb.GenerateRequest.Sequence(id="1", max_new_tokens=3, instruction="Why, please?"),
        ],
        conversation=conversation(),
    )
    assert request_from_pb(once) == request_from_pb(apart)


def test_a_raw_prompt_once_is_every_sequences() -> None:
    request = pb.GenerateRequest(
        sequences=[pb.GenerateRequest.Sequence(id=name) for name in "ab"],
        raw_prompt=pb.GenerateRequest.RawPrompt(token_ids=[1, 2]),
    )
    assert [each.raw_prompt for each in request_from_pb(request).sequences] == [RawPrompt("", (1, 2))] * 2


RAW = pb.GenerateRequest.RawPrompt(text="Once")


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (
            pb.GenerateRequest(
                sequences=[pb.GenerateRequest.Sequence(messages=turns(SAID))], conversation=conversation()
            ),
            "sequences[0].messages",
        ),
        (
            pb.GenerateRequest(sequences=[pb.GenerateRequest.Sequence(raw_prompt=RAW)], conversation=conversation()),
            "sequences[0].messages",
        ),
        (
            pb.GenerateRequest(sequences=[pb.GenerateRequest.Sequence(messages=turns(SAID), instruction="x")]),
            "sequences[0].instruction",
        ),
        (
            pb.GenerateRequest(sequences=[pb.GenerateRequest.Sequence(instruction="x")], raw_prompt=RAW),
            "sequences[0].instruction",
        ),
        (
            pb.GenerateRequest(sequences=[pb.GenerateRequest.Sequence()], conversation=conversation(4)),
            "conversation.instruction",
        ),
        (pb.GenerateRequest(conversation=conversation(), raw_prompt=RAW), "raw_prompt"),
    ],
)
def test_what_contradicts_itself_is_refused(request_: pb.GenerateRequest, field: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        request_from_pb(request_)
    assert refused.value.field == field
