"""What a caller asks of the generation service, and what it gets; the wire's messages without the wire."""

from dataclasses import dataclass
from typing import Literal

from shared.records.evolution import Message

FinishReason = Literal["length", "stop", "context"]
"""Why a response ended for now: it can be continued; it is complete; the model's context is full, by the prompt alone
where the response is empty."""


@dataclass(frozen=True)
class SamplingOptions:
    """How tokens are drawn, the same for every sequence of a call; temperature 0 is greedy, top_k 0 keeps all."""

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    stop: tuple[str, ...] = ()
    json_schema: str = ""


@dataclass(frozen=True)
class Sequence:
    """A conversation, the ids of the response so far, and how many tokens to add (and to look ahead)."""

    id: str
    messages: tuple[Message, ...]
    response_token_ids: tuple[int, ...] = ()
    max_new_tokens: int = 1
    lookahead_tokens: int = 0
    seed: int | None = None


@dataclass(frozen=True)
class GenerateRequest:
    """Sequences to continue, each with an id of its own; cached prefixes are shared with calls of the same salt. A chat
    template takes `now`, in Unix seconds, for the time; 0 is the clock's."""

    sequences: tuple[Sequence, ...]
    sampling: SamplingOptions = SamplingOptions()
    cache_salt: str = ""
    now: float = 0.0


@dataclass(frozen=True)
class TokenUsage:
    """Tokens of the rendered conversation; those of it and the given response that were reused; those sampled."""

    prompt_tokens: int
    cached_tokens: int
    generated_tokens: int


@dataclass(frozen=True)
class SequenceResult:
    """A sequence's continuation.

    `token_ids` are the ids added, without lookahead and without the end-of-sequence id; where a stop string ended
    the response they end with the token that completes it. `text` is the whole response so far, decoded from all of
    its ids, without special tokens, cut before the first stop string and, where it goes on or was cut, after its last
    whole character; `lookahead_text` is the same with the lookahead. `seconds` run from the call's arrival;
    `queue_seconds` of them the engine let it wait, None where the engine does not say.
    """

    id: str
    token_ids: tuple[int, ...]
    text: str
    lookahead_text: str
    finish: FinishReason
    usage: TokenUsage
    seconds: float
    queue_seconds: float | None = None
