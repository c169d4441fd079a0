"""OpenAI's `text_completion`, whole and in chunks, and how a record becomes one."""

from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from services.gateway.api import serializers
from services.gateway.api.chunks import DONE, pieces_of
from services.gateway.api.logprobs import pieces_with_tokens
from services.gateway.api.responses import EvolutionReference, Usage
from services.gateway.api.text_completions.logprobs import CompletionLogprobs, completion_logprobs
from services.gateway.config.settings import GatewaySettings
from shared.records.events import Event
from shared.records.evolution import Choice, FinishReason, Record


class _Resource(BaseModel):
    model_config = ConfigDict(frozen=True)


class CompletionChoice(_Resource):
    """A continuation of the prompt."""

    index: int
    text: str
    logprobs: CompletionLogprobs | None = Field(default=None, description="Where `logprobs` asked for them.")
    finish_reason: FinishReason


class Completion(_Resource):
    """The answer in OpenAI's shape."""

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str = Field(description="As the request named it.")
    choices: list[CompletionChoice]
    usage: Usage
    darwin: EvolutionReference


class CompletionChunkChoice(_Resource):
    """A piece of a continuation; its finish reason comes last, with an empty text."""

    index: int
    text: str
    logprobs: CompletionLogprobs | None = Field(default=None, description="Of the tokens of this piece of text.")
    finish_reason: FinishReason | None = None


class CompletionChunk(_Resource):
    """One chunk of a streamed completion."""

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    choices: list[CompletionChunkChoice]
    usage: Usage | None = None
    darwin: Event | EvolutionReference | None = Field(
        default=None, description="An event of the search, or with each finish reason which evolution has answered."
    )


def completion_id(record: Record) -> str:
    """The id that OpenAI's shape calls for; it holds the evolution's."""
    return "cmpl-" + record.id.removeprefix("evo_")


def completion(record: Record, settings: GatewaySettings) -> Completion:
    """The body of a completion; raises as `serializers.result_of` does."""
    result = serializers.result_of(record)
    return Completion(
        id=completion_id(record),
        created=int(record.created_at),
        model=serializers.model_of(record),
        choices=[
            CompletionChoice(
                index=index,
                text=choice.text,
                finish_reason=choice.finish_reason,
                logprobs=completion_logprobs(choice.logprobs) if _asked(record) else None,
            )
            for index, choice in enumerate(result.choices)
        ],
        usage=serializers.usage(record, result, settings),
        darwin=serializers.reference(record, result.stopped_by),
    )


def progress(record: Record, event: Event) -> str:
    """A chunk with an event of the evolution and an empty text, as JSON."""
    return _chunk(record, [CompletionChunkChoice(index=0, text="")], darwin=event)


def final(record: Record, include_usage: bool, settings: GatewaySettings) -> Iterator[str]:
    """The last chunks as JSON: the text of each choice in pieces, with its finish reason last, then the usage with
    `include_usage`, then `DONE`. Raises as `serializers.result_of` does.
    """
    result = serializers.result_of(record)
    reference = serializers.reference(record, result.stopped_by)
    for index, choice in enumerate(result.choices):
        for piece, logprobs in _pieces(record, choice):
            yield _chunk(record, [CompletionChunkChoice(index=index, text=piece, logprobs=logprobs)])
        ended = CompletionChunkChoice(index=index, text="", finish_reason=choice.finish_reason)
        yield _chunk(record, [ended], darwin=reference)
    if include_usage:
        yield _chunk(record, [], usage=serializers.usage(record, result, settings))
    yield DONE


def _asked(record: Record) -> bool:
    return record.request.sampling.logprobs is not None


def _pieces(record: Record, choice: Choice) -> Iterator[tuple[str, CompletionLogprobs | None]]:
    """The text in pieces; where log probabilities were asked for, each with those of its tokens."""
    if not _asked(record):
        yield from ((piece, None) for piece in pieces_of(choice.text))
        return
    begin = 0
    for piece, tokens in pieces_with_tokens(choice.text, choice.logprobs):
        yield piece, completion_logprobs(tokens, begin)
        begin += len(piece)


def _chunk(
    record: Record,
    choices: list[CompletionChunkChoice],
    usage: Usage | None = None,
    darwin: Event | EvolutionReference | None = None,
) -> str:
    return CompletionChunk(
        id=completion_id(record),
        created=int(record.created_at),
        model=serializers.model_of(record),
        choices=choices,
        usage=usage,
        darwin=darwin,
    ).model_dump_json()
