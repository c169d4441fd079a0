"""OpenAI's `text_completion`, whole and in chunks, and how a record becomes one."""

from collections.abc import Iterator, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from services.gateway.api import serializers
from services.gateway.api.chunks import pieces_of
from services.gateway.api.logprobs import pieces_with_tokens
from services.gateway.api.progress import Progress
from services.gateway.api.responses import EvolutionReference, PromptTokensDetails, Usage
from services.gateway.api.settled import SentBeginning
from services.gateway.api.text_completions.logprobs import CompletionLogprobs, completion_logprobs
from services.gateway.config.settings import GatewaySettings
from shared.records.events import Event
from shared.records.evolution import Choice, FinishReason, Record, ServiceTier


def _is_none(value: object) -> bool:
    return value is None


class _Resource(BaseModel):
    model_config = ConfigDict(frozen=True)


class CompletionChoice(_Resource):
    """A continuation of a prompt."""

    index: int = Field(description="Of the i-th prompt's j-th continuation, both counted from 0: i * n + j.")
    text: str
    logprobs: CompletionLogprobs | None = Field(default=None, description="Where `logprobs` asked for them.")
    finish_reason: FinishReason
    darwin: EvolutionReference | None = Field(
        default=None,
        exclude_if=_is_none,
        description="Which evolution has answered the prompt; left out where the call has one prompt.",
    )


class Completion(_Resource):
    """The answer in OpenAI's shape."""

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str = Field(description="As the request named it.")
    choices: list[CompletionChoice]
    service_tier: ServiceTier = Field(description="The tier in which the request was served.")
    usage: Usage = Field(description="Of all prompts; what is said of a search is said of the first prompt's.")
    darwin: EvolutionReference = Field(description="The first prompt's.")


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
    service_tier: ServiceTier = Field(description="The tier in which the request is served.")
    usage: Usage | None = None
    darwin: Event | Progress | EvolutionReference | None = Field(
        default=None,
        description="An event of the search, or its numbers; with each finish reason which evolution has answered.",
    )


def completion_id(record: Record) -> str:
    """The id that OpenAI's shape calls for; it holds the evolution's."""
    return "cmpl-" + record.id.removeprefix("evo_")


def completion(records: Sequence[Record], settings: GatewaySettings) -> Completion:
    """The body of a completion, from the final record of each prompt; raises as `serializers.result_of` does."""
    first = records[0]
    references = [serializers.reference(record, serializers.result_of(record)) for record in records]
    several = len(records) > 1
    return Completion(
        id=completion_id(first),
        created=int(first.created_at),
        model=serializers.model_of(first),
        choices=[
            CompletionChoice(
                index=part * record.request.n + index,
                text=choice.text,
                finish_reason=choice.finish_reason,
                darwin=references[part] if several else None,
                logprobs=completion_logprobs(choice.logprobs) if _asked(record) else None,
            )
            for part, record in enumerate(records)
            for index, choice in enumerate(serializers.result_of(record).choices)
        ],
        service_tier=first.request.service_tier,
        usage=_usage(records, settings),
        darwin=references[0],
    )


class Chunks:
    """The chunks of a streamed completion, as JSON; all of them bear the id of the first prompt's evolution."""

    def __init__(self, records: Sequence[Record], settings: GatewaySettings) -> None:
        self._first = records[0]
        self._settings = settings

    def progress(self, part: int, event: Event | Progress) -> str:
        """A chunk with an event of a prompt's evolution, or its numbers, and an empty text; prompts count from 0."""
        index = part * self._first.request.n
        return self._chunk([CompletionChunkChoice(index=index, text="")], darwin=event)

    def settled(self, part: int, text: str) -> Iterator[str]:
        """The text that is settled of a prompt's continuation, in pieces; none where nothing is."""
        index = part * self._first.request.n
        for piece in pieces_of(text) if text else ():
            yield self._chunk([CompletionChunkChoice(index=index, text=piece)])

    def final(self, part: int, record: Record, sent: SentBeginning | None = None) -> Iterator[str]:
        """The text of each of a prompt's choices in pieces, with its finish reason last; where some of
        the text was `sent` before, the rest.

        Raises as `serializers.result_of` does.
        """
        result = serializers.result_of(record)
        reference = serializers.reference(record, result)
        for index, choice in enumerate(result.choices, part * record.request.n):
            if sent and sent.text:
                yield from self.settled(part, sent.rest_of(choice.text))
            else:
                for piece, logprobs in _pieces(record, choice):
                    yield self._chunk([CompletionChunkChoice(index=index, text=piece, logprobs=logprobs)])
            ended = CompletionChunkChoice(index=index, text="", finish_reason=choice.finish_reason)
            yield self._chunk([ended], darwin=reference)

    def usage(self, records: Sequence[Record]) -> str:
        """The last chunk: the usage of all prompts, from their final records."""
        return self._chunk([], usage=_usage(records, self._settings))

    def _chunk(
        self,
        choices: list[CompletionChunkChoice],
        usage: Usage | None = None,
        darwin: Event | Progress | EvolutionReference | None = None,
    ) -> str:
        return CompletionChunk(
            id=completion_id(self._first),
            created=int(self._first.created_at),
            model=serializers.model_of(self._first),
            choices=choices,
            service_tier=self._first.request.service_tier,
            usage=usage,
            darwin=darwin,
        ).model_dump_json()


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


def _usage(records: Sequence[Record], settings: GatewaySettings) -> Usage:
    each = [serializers.usage(record, serializers.result_of(record), settings) for record in records]
    costs = [usage.cost for usage in each if usage.cost is not None]
    return each[0].model_copy(
        update={
            "prompt_tokens": sum(usage.prompt_tokens for usage in each),
            "completion_tokens": sum(usage.completion_tokens for usage in each),
            "total_tokens": sum(usage.total_tokens for usage in each),
            "prompt_tokens_details": PromptTokensDetails(
                cached_tokens=sum(usage.prompt_tokens_details.cached_tokens for usage in each)
            ),
            "cost": sum(costs) if costs else None,
        }
    )
