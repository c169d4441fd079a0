"""The events of a streamed response, in OpenAI's order.

The numbers of the events follow from the record and its events, so that a stream may be resumed after any of them.
"""

from collections.abc import Iterable, Iterator
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
    message_begun,
    output_logprobs,
    reasoning_item,
)
from services.gateway.api.openai_responses.resource import ModelResponse, response
from services.gateway.api.settled import SentBeginning
from services.gateway.config.settings import GatewaySettings
from services.gateway.edge.errors import body_of
from shared.errors import DarwinError
from shared.records.events import Event
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


class AnswerEvents:
    """The events of one answer, which are numbered from `number` on: its beginning, where that is settled before the
    search has ended, and the rest.
    """

    def __init__(self, record: Record, number: int) -> None:
        self.number = number
        self._record = record
        self._sent = SentBeginning(record)

    def settled_by(self, event: Event) -> Iterator[ResponseEvent]:
        """What can be told now that this has happened; raises as `SentBeginning.settled_by` does."""
        begins = not self._sent.text
        thought, text = self._sent.settled_by(event)
        if thought:
            item = reasoning_item(self._record, thought)
            yield from self._numbered(_item(item, {"item_id": item.id, "output_index": 0}, self._record))
        if not text:
            return
        message = message_begun(self._record)
        where = {"item_id": message.id, "output_index": int(bool(self._sent.thought))}
        if begins:
            yield from self._numbered(_begun(message, where))
            yield from self._numbered(_text_begun(where))
        yield from self._numbered(_deltas(((piece, []) for piece in pieces_of(text)), where))

    def closing(self, record: Record, settings: GatewaySettings) -> Iterator[ResponseEvent]:
        """What is left of the answer, and the end, from the final record."""
        final = response(record, settings)
        for index, item in enumerate(final.output):
            where = {"item_id": item.id, "output_index": index}
            if not self._sent.text or isinstance(item, FunctionCall):
                yield from self._numbered(_item(item, where, record))
            elif isinstance(item, OutputMessage):
                rest = self._sent.rest_of(item.content[0].text)
                yield from self._numbered(_deltas(((piece, []) for piece in pieces_of(rest) if piece), where))
                yield from self._numbered(_text_done(item.content[0], where))
                yield from self._numbered(_done(item, where))
        ends = {"completed": "response.completed", "incomplete": "response.incomplete"}
        yield from self._numbered([{"type": ends.get(final.status, "response.failed"), "response": final}])

    def failure(self, error: DarwinError) -> ResponseEvent:
        """The last event of a stream that cannot be told to its end."""
        detail = body_of(error).error
        return ResponseEvent(
            type="error", sequence_number=self.number, code=detail.code, message=detail.message, param=detail.param
        )

    def _numbered(self, events: Iterable[dict[str, Any]]) -> Iterator[ResponseEvent]:
        for fields in events:
            yield ResponseEvent(sequence_number=self.number, **fields)
            self.number += 1


def _item(item: OutputItem, where: dict[str, Any], record: Record) -> Iterator[dict[str, Any]]:
    """All events of an item that is told at once."""
    yield from _begun(item, where)
    match item:
        case FunctionCall():
            yield from _arguments(item, where)
        case ReasoningItem():
            yield from _thought(item.content[0].text, where)
        case OutputMessage():
            yield from _text_begun(where)
            yield from _deltas(_pieces(item.content[0], record), where)
            yield from _text_done(item.content[0], where)
    yield from _done(item, where)


def _begun(item: OutputItem, where: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield {"type": "response.output_item.added", "output_index": where["output_index"], "item": begun(item)}


def _done(item: OutputItem, where: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield {"type": "response.output_item.done", "output_index": where["output_index"], "item": item}


def _thought(text: str, item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    where = item | {"content_index": 0}
    for piece in pieces_of(text):
        yield {"type": "response.reasoning_text.delta", **where, "delta": piece}
    yield {"type": "response.reasoning_text.done", **where, "text": text}


def _text_begun(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield {"type": "response.content_part.added", **item, "content_index": 0, "part": OutputText(text="")}


def _deltas(pieces: Iterable[tuple[str, list[OutputLogprob]]], item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    where = item | {"content_index": 0}
    for piece, logprobs in pieces:
        yield {"type": "response.output_text.delta", **where, "delta": piece, "logprobs": logprobs}


def _text_done(part: OutputText, item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    where = item | {"content_index": 0}
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
