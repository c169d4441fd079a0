"""The chunks of a streamed chat completion, each as the JSON of one server-sent event."""

import re
from collections.abc import Iterator
from typing import Literal

from services.gateway.api import message_bodies, serializers
from services.gateway.api import responses as out
from services.gateway.api.logprobs import ChoiceLogprobs, pieces_with_tokens, token_logprobs
from services.gateway.api.progress import Progress
from services.gateway.api.settled import SentBeginning
from services.gateway.config.settings import GatewaySettings
from shared.records.events import Event
from shared.records.evolution import Choice, Record

DONE = "[DONE]"
# Up to four words with the space around them, or characters of a script that puts no space between words.
_PIECE_OF_ARGUMENTS = re.compile(r".{1,24}", re.DOTALL)
_PIECE = re.compile(r"(?:\s*\S{1,32}){1,4}\s*|\s+")


def pieces_of(text: str) -> list[str]:
    """The text in pieces of a few words; one empty piece where there is none."""
    return _PIECE.findall(text) or [""]


def pieces_of_arguments(arguments: str) -> list[str]:
    """A call's arguments in short pieces; none where there are no arguments."""
    return _PIECE_OF_ARGUMENTS.findall(arguments)


def first(record: Record) -> str:
    """The first chunk: the role, and which evolution will answer."""
    return _chunk(
        record,
        0,
        message_bodies.ChunkDelta(role="assistant", content=""),
        darwin=serializers.reference(record),
    )


def progress(record: Record, event: Event | Progress) -> str:
    """A chunk with an event of the evolution, or its numbers, and an empty delta."""
    return _chunk(record, 0, message_bodies.ChunkDelta(), darwin=event)


def settled(record: Record, thought: str, text: str) -> Iterator[str]:
    """Chunks with what is settled of the answer before its search has ended, in pieces; none where nothing is."""
    for piece in pieces_of(thought) if thought else ():
        yield _chunk(record, 0, message_bodies.ChunkDelta(reasoning_content=piece, reasoning=piece))
    for piece in pieces_of(text) if text else ():
        yield _chunk(record, 0, message_bodies.ChunkDelta(content=piece))


def final(
    record: Record, include_usage: bool, settings: GatewaySettings, sent: SentBeginning | None = None
) -> Iterator[str]:
    """The last chunks: thought, text, calls and finish reason of each choice, the usage with `include_usage`, `DONE`.
    Of the first choice, what was not `sent` before.

    A text comes in pieces of a few words, as clients expect it of a stream.

    Raises as `serializers.result_of` does.
    """
    result = serializers.result_of(record)
    reference = serializers.reference(record, result)
    for index, choice in enumerate(result.choices):
        role: Literal["assistant"] | None = None if index == 0 else "assistant"
        if sent and sent.text and index == 0:
            yield from settled(record, "", sent.rest_of(choice.text))
            yield _ended(record, index, choice, reference)
            continue
        thought = serializers.thought_of(record, choice)
        for piece in pieces_of(thought) if thought else ():
            yield _chunk(record, index, message_bodies.ChunkDelta(role=role, reasoning_content=piece, reasoning=piece))
            role = None
        for piece, logprobs in _pieces(record, choice):
            delta = message_bodies.ChunkDelta(role=role, content=piece)
            yield _envelope(record, [out.ChunkChoice(index=index, delta=delta, logprobs=logprobs)])
            role = None
        for call in _calls(record, index, choice):
            yield _chunk(record, index, _delta(record, call))
        yield _ended(record, index, choice, reference)
    if include_usage:
        yield _envelope(record, [], usage=serializers.usage(record, result, settings))
    yield DONE


def _ended(record: Record, index: int, choice: Choice, reference: out.EvolutionReference) -> str:
    finish = serializers.finish_reason(record, choice)
    return _chunk(record, index, message_bodies.ChunkDelta(), finish_reason=finish, darwin=reference)


def _delta(record: Record, call: message_bodies.ChunkCall) -> message_bodies.ChunkDelta:
    if record.request.tool_use.as_functions:
        return message_bodies.ChunkDelta(function_call=call.function)
    return message_bodies.ChunkDelta(tool_calls=[call])


def _pieces(record: Record, choice: Choice) -> Iterator[tuple[str, ChoiceLogprobs | None]]:
    """The text in pieces, one at least; where log probabilities were asked for, each with those of its tokens."""
    if record.request.sampling.logprobs is None or choice.tool_calls:
        yield from ((piece, None) for piece in pieces_of(choice.text))
        return
    for piece, tokens in pieces_with_tokens(choice.text, choice.logprobs):
        yield piece, ChoiceLogprobs(content=token_logprobs(tokens))


def _calls(record: Record, index: int, choice: Choice) -> Iterator[message_bodies.ChunkCall]:
    """The calls of a choice: of each its id and name, then its arguments in pieces."""
    for number, call in enumerate(choice.tool_calls):
        name = message_bodies.ChunkFunction(name=call.name, arguments="")
        yield message_bodies.ChunkCall(
            index=number, id=serializers.call_id(record, index, number), type="function", function=name
        )
        for piece in pieces_of_arguments(call.arguments):
            yield message_bodies.ChunkCall(index=number, function=message_bodies.ChunkFunction(arguments=piece))


def _chunk(
    record: Record,
    index: int,
    delta: message_bodies.ChunkDelta,
    finish_reason: out.AnswerFinish | None = None,
    darwin: Event | Progress | out.EvolutionReference | None = None,
) -> str:
    return _envelope(record, [out.ChunkChoice(index=index, delta=delta, finish_reason=finish_reason)], darwin=darwin)


def _envelope(
    record: Record,
    choices: list[out.ChunkChoice],
    usage: out.Usage | None = None,
    darwin: Event | Progress | out.EvolutionReference | None = None,
) -> str:
    return out.ChatCompletionChunk(
        id=serializers.completion_id(record),
        created=int(record.created_at),
        model=serializers.model_of(record),
        choices=choices,
        service_tier=record.request.service_tier,
        usage=usage,
        darwin=darwin,
    ).model_dump_json()
