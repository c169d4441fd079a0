"""Log probabilities of a choice's tokens: as they are asked for, and in OpenAI's shape."""

import codecs
from collections.abc import Iterator, Sequence
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from services.gateway.config.settings import GatewaySettings
from shared.errors import InvalidRequest
from shared.records.evolution import Choice, Sampling
from shared.records.logprobs import Alternative, TokenLogprobs, bytes_of
from shared.records.search import Search


class _Resource(BaseModel):
    model_config = ConfigDict(frozen=True)


class TopLogprob(_Resource):
    """A token, and how likely it was."""

    token: str = Field(description="Its text; bytes that are no whole character stand as \\xe2.")
    logprob: float = Field(description="Natural logarithm, at most 0.")
    bytes: list[int] | None = Field(description="In UTF-8; null where no text shows the token.")

    @classmethod
    def of(cls, token: Alternative) -> Self:
        return cls(token=text_of(token), logprob=token.logprob, bytes=_bytes(token))


class TokenLogprob(TopLogprob):
    """A token of the answer, and the likeliest ones in its place."""

    top_logprobs: list[TopLogprob]


class ChoiceLogprobs(_Resource):
    """The log probabilities of a choice: of the tokens that its text shows, in their order."""

    content: list[TokenLogprob] | None = Field(description="Null where the choice calls tools.")
    refusal: None = None


def wanted_alternatives(
    logprobs: bool | None, top_logprobs: int | None, search: Search, max_tokens: int, settings: GatewaySettings
) -> int | None:
    """How many alternatives are recorded for each token; None where log probabilities are not asked for.

    Raises:
        InvalidRequest: alternatives are asked for alone, or more than this deployment records of one search.
    """
    if not logprobs:
        if top_logprobs:
            raise InvalidRequest("top_logprobs needs logprobs: true", field="top_logprobs")
        return None
    alternatives = top_logprobs or 0
    recorded = (1 + search.cycles * search.mutants) * max_tokens * (1 + alternatives)
    if recorded > settings.max_logprobs:
        raise InvalidRequest(
            f"this search would record {recorded} log probabilities, at most {settings.max_logprobs} are possible "
            "here: lower top_logprobs, max_tokens, darwin.mutants or darwin.cycles",
            field="top_logprobs" if alternatives else "logprobs",
        )
    return alternatives


def choice_logprobs(choice: Choice, sampling: Sampling) -> ChoiceLogprobs | None:
    """Those of a choice; None where they were not asked for."""
    if sampling.logprobs is None:
        return None
    return ChoiceLogprobs(content=None if choice.tool_calls else token_logprobs(choice.logprobs))


def token_logprobs(tokens: Sequence[TokenLogprobs]) -> list[TokenLogprob]:
    """The tokens in OpenAI's shape."""
    return [
        TokenLogprob(
            **dict(TopLogprob.of(Alternative(*each[:3]))), top_logprobs=[TopLogprob.of(other) for other in each.top]
        )
        for each in tokens
    ]


def text_of(token: Alternative | TokenLogprobs, marked: str = "") -> str:
    """The text of a token; `marked` stands before one with bytes that are no whole character."""
    spelled = bytes_of(token.token)
    text = spelled.decode(errors="backslashreplace")
    return text if text.encode() == spelled else marked + text


def pieces_with_tokens(text: str, tokens: Sequence[TokenLogprobs]) -> Iterator[tuple[str, list[TokenLogprobs]]]:
    """The text in pieces of a token each, with it, or of several where they share a character; the whole text at once,
    with all tokens, where it is not what they say one after another."""
    decoder, pieces, piece, said = codecs.getincrementaldecoder("utf-8")("replace"), [], "", list[TokenLogprobs]()
    for index, token in enumerate(tokens, start=1):
        piece += decoder.decode(bytes_of(token.token), final=index == len(tokens))
        said.append(token)
        whole = not decoder.getstate()[0]
        if piece and whole:
            pieces.append((piece, said))
            piece, said = "", []
    alike = "".join(piece for piece, _ in pieces) == text
    return iter(pieces if pieces and alike else [(text, list(tokens))])


def _bytes(token: Alternative) -> list[int] | None:
    return None if token.special else list(bytes_of(token.token))
