"""The events of a streamed response, in OpenAI's order.

The numbers of the events follow from the record alone, so that a stream may be resumed after any of them.
"""

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from services.gateway.api.chunks import pieces_of, pieces_of_arguments
from services.gateway.api.logprobs import pieces_with_tokens
from services.gateway.api.openai_responses.outputs import (
    FunctionCall,
    OutputItem,
    OutputLogprob,
    OutputMessage,
    OutputText,
    ReasoningItem,
    answer_tokens,
    begun,
    output_logprobs,
)
from services.gateway.api.openai_responses.resource import ModelResponse, response
from services.gateway.config.settings import GatewaySettings
from services.gateway.edge.errors import body_of
from shared.errors import DarwinError
from shared.records.evolution import Record

EventType = Literal[
    "response.created",
    "response.queued",
    "response.in_progress",
    "response.output_item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.done",
    "response.reasoning_text.delta",
    "response.reasoning_text.done",
    "response.content_part.done",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "response.output_item.done",
    "response.completed",
    "response.incomplete",
    "response.failed",
    "error",
]


class ResponseEvent(BaseModel):
    """One event of a response's stream: each type carries its own of these fields, as OpenAI's does."""

    model_config = ConfigDict(frozen=True)

    type: EventType
    sequence_number: int
    response: ModelResponse | None = None
    output_index: int | None = None
    content_index: int | None = None
    item_id: str | None = None
    item: OutputItem | None = None
    part: OutputText | None = None
    delta: str | None = None
    text: str | None = None
    name: str | None = None
    arguments: str | None = None
    logprobs: list[OutputLogprob] | None = None
    code: str | None = None
    message: str | None = None
    param: str | None = None

    def payload(self) -> dict[str, Any]:
        """The event as JSON: the fields that its type has."""
        shown = self.model_fields_set | {"type", "sequence_number"}
        return {name: value for name, value in self.model_dump(mode="json").items() if name in shown}


def opening(record: Record, settings: GatewaySettings) -> list[ResponseEvent]:
    """What comes before the answer."""
    options = record.request.response
    types: list[EventType] = ["response.created", "response.in_progress"]
    if options and options.background:
        types.insert(1, "response.queued")
    queued, begun = response(record, settings, "queued"), response(record, settings, "in_progress")
    return [
        ResponseEvent(
            type=type_,
            sequence_number=number,
            response=begun if len(types) == 2 or type_ == "response.in_progress" else queued,
        )
        for number, type_ in enumerate(types)
    ]


def closing(record: Record, first: int, settings: GatewaySettings) -> Iterator[ResponseEvent]:
    """The answer and the end; `first` is the number of the first event."""
    number = first
    for fields in _closing(record, settings):
        yield ResponseEvent(sequence_number=number, **fields)
        number += 1


def _closing(record: Record, settings: GatewaySettings) -> Iterator[dict[str, Any]]:
    final = response(record, settings)
    for index, item in enumerate(final.output):
        yield {"type": "response.output_item.added", "output_index": index, "item": begun(item)}
        where = {"item_id": item.id, "output_index": index}
        match item:
            case FunctionCall():
                yield from _arguments(item, where)
            case ReasoningItem():
                yield from _thought(item.content[0].text, where)
            case OutputMessage():
                yield from _text(item.content[0], where, record)
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    ends = {"completed": "response.completed", "incomplete": "response.incomplete"}
    yield {"type": ends.get(final.status, "response.failed"), "response": final}


def _thought(text: str, item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    where = item | {"content_index": 0}
    for piece in pieces_of(text):
        yield {"type": "response.reasoning_text.delta", **where, "delta": piece}
    yield {"type": "response.reasoning_text.done", **where, "text": text}


def _text(part: OutputText, item: dict[str, Any], record: Record) -> Iterator[dict[str, Any]]:
    where = item | {"content_index": 0}
    yield {"type": "response.content_part.added", **where, "part": OutputText(text="")}
    for piece, logprobs in _pieces(part, record):
        yield {"type": "response.output_text.delta", **where, "delta": piece, "logprobs": logprobs}
    yield {"type": "response.output_text.done", **where, "text": part.text, "logprobs": part.logprobs}
    yield {"type": "response.content_part.done", **where, "part": part}


def _pieces(part: OutputText, record: Record) -> Iterator[tuple[str, list[OutputLogprob]]]:
    """The text in pieces; where log probabilities were asked for, each with those of its tokens."""
    if not part.logprobs or record.result is None:
        yield from ((piece, []) for piece in pieces_of(part.text))
        return
    for piece, tokens in pieces_with_tokens(part.text, answer_tokens(record.result.choices[0])):
        yield piece, output_logprobs(tokens)


def _arguments(call: FunctionCall, where: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for piece in pieces_of_arguments(call.arguments):
        yield {"type": "response.function_call_arguments.delta", **where, "delta": piece}
    yield {"type": "response.function_call_arguments.done", **where, "name": call.name, "arguments": call.arguments}


def failure(error: DarwinError, number: int) -> ResponseEvent:
    """The last event of a stream that cannot be told to its end."""
    detail = body_of(error).error
    return ResponseEvent(
        type="error", sequence_number=number, code=detail.code, message=detail.message, param=detail.param
    )
