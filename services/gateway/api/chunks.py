"""The chunks of a streamed chat completion, each as the JSON of one server-sent event."""

from collections.abc import Iterator

from services.gateway.api import responses as out
from services.gateway.api import serializers
from services.gateway.settings import GatewaySettings
from shared.records.events import Event
from shared.records.evolution import FinishReason, Record

DONE = "[DONE]"


def first(record: Record) -> str:
    """The first chunk: the role, and which evolution will answer."""
    return _chunk(
        record,
        0,
        out.ChunkDelta(role="assistant", content=""),
        darwin=serializers.reference(record),
    )


def progress(record: Record, event: Event) -> str:
    """A chunk with an event of the evolution and an empty delta."""
    return _chunk(record, 0, out.ChunkDelta(), darwin=event)


def final(record: Record, include_usage: bool, settings: GatewaySettings) -> Iterator[str]:
    """The last chunks: text and finish reason of each choice, then the usage with `include_usage`, then `DONE`.

    Raises as `serializers.result_of` does.
    """
    result = serializers.result_of(record)
    reference = serializers.reference(record, result.stopped_by)
    for index, choice in enumerate(result.choices):
        role = None if index == 0 else "assistant"
        yield _chunk(record, index, out.ChunkDelta(role=role, content=choice.text))
        yield _chunk(record, index, out.ChunkDelta(), finish_reason=choice.finish_reason, darwin=reference)
    if include_usage:
        yield _envelope(record, [], usage=serializers.usage(record, result, settings))
    yield DONE


def _chunk(
    record: Record,
    index: int,
    delta: out.ChunkDelta,
    finish_reason: FinishReason | None = None,
    darwin: Event | out.EvolutionReference | None = None,
) -> str:
    return _envelope(record, [out.ChunkChoice(index=index, delta=delta, finish_reason=finish_reason)], darwin=darwin)


def _envelope(
    record: Record,
    choices: list[out.ChunkChoice],
    usage: out.Usage | None = None,
    darwin: Event | out.EvolutionReference | None = None,
) -> str:
    return out.ChatCompletionChunk(
        id=serializers.completion_id(record),
        created=int(record.created_at),
        model=record.request.method,
        choices=choices,
        usage=usage,
        darwin=darwin,
    ).model_dump_json()
