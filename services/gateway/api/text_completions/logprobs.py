"""Log probabilities in the shape of OpenAI's completions."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from services.gateway.api.logprobs import text_of
from shared.records.logprobs import TokenLogprobs, bytes_of

_BYTES = "bytes:"


class CompletionLogprobs(BaseModel):
    """Of each token that the text shows, in lists of the same length."""

    model_config = ConfigDict(frozen=True)

    text_offset: list[int] = Field(description="Where each token begins, in characters of the choice's text.")
    token_logprobs: list[float] = Field(description="Natural logarithms, at most 0.")
    tokens: list[str] = Field(description="Their texts; bytes that are no whole character stand as bytes:\\xe2.")
    top_logprobs: list[dict[str, float]] = Field(
        description="Of the likeliest tokens in the place of each, by their texts, and of the token itself."
    )


def completion_logprobs(tokens: Sequence[TokenLogprobs], begin: int = 0) -> CompletionLogprobs:
    """Those of a piece of text that begins at the character `begin`."""
    offsets, spelled = [], b""
    for each in tokens:
        offsets.append(begin + len(spelled.decode(errors="ignore")))
        spelled += bytes_of(each.token)
    return CompletionLogprobs(
        text_offset=offsets,
        token_logprobs=[each.logprob for each in tokens],
        tokens=[text_of(each, _BYTES) for each in tokens],
        top_logprobs=[_alternatives(each) for each in tokens],
    )


def _alternatives(token: TokenLogprobs) -> dict[str, float]:
    """Several tokens may have one text: it is told of the likeliest, unless that of the token itself is."""
    found: dict[str, float] = {}
    for other in token.top:
        found.setdefault(text_of(other, _BYTES), other.logprob)
    return found | {text_of(token, _BYTES): token.logprob}
