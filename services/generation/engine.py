"""The port: an engine continues token sequences, as many at once as come, and batches them as it likes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from services.generation.messages import SamplingOptions
from shared.errors import InvalidRequest
from shared.records.evolution import Message


class ContextFull(InvalidRequest):
    """The sequence fills the model's context, which is shorter than `ModelInfo.context_length` says."""


@dataclass(frozen=True)
class ModelInfo:
    """What is served. `context_length` counts prompt plus response; `end_ids` are the end-of-sequence ids;
    `hidden_tokens` those that `decode` leaves out, by their text."""

    model: str
    engine: str
    context_length: int
    structured_output: bool
    vocabulary_size: int
    end_ids: frozenset[int]
    hidden_tokens: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class TokenSequence:
    """Ids to continue by at most `max_new_tokens`, which fit the context together with them.

    A seed may come again with more ids: an engine draws from the seed and the position. What is cached of the ids is
    used for sequences of the same `cache_salt` only.
    """

    token_ids: tuple[int, ...]
    max_new_tokens: int
    sampling: SamplingOptions
    seed: int | None
    cache_salt: str = ""


@dataclass(frozen=True)
class Completion:
    """Every id sampled, in order, the end-of-sequence id included where it ended the sequence.

    An engine may, but need not, stop early at a stop string; the ids then end with the token that completes it.
    `cached_tokens` of the given ids were not computed again. Seconds are None where the engine does not say: those it
    let the sequence wait before its first step, and those from its arrival to its first token. `unfinished` ids are
    fewer than were asked for although the response has not ended, as where text stands for ids.
    """

    token_ids: tuple[int, ...]
    cached_tokens: int
    queue_seconds: float | None = None
    first_token_seconds: float | None = None
    unfinished: bool = False


class Engine(Protocol):
    """A model that decodes. `encode_chat`, `decode` and `complete` may be used from `start` to `stop`, the first two
    from several threads at once."""

    @property
    def info(self) -> ModelInfo:
        """Raises Unavailable until the engine has started."""
        ...

    @property
    def running(self) -> int:
        """Sequences that the engine holds, waiting ones too."""
        ...

    @property
    def waiting(self) -> int:
        """Of these, sequences whose first step has not begun, as far as the engine says."""
        ...

    async def start(self) -> None: ...

    async def stop(self) -> None:
        """Frees everything, also while `start` is under way."""
        ...

    async def failed(self) -> str:
        """Waits until the started engine has ended by itself, which may be forever; returns why it did."""
        ...

    def encode_chat(self, messages: Sequence[Message], now: float = 0.0) -> tuple[int, ...]:
        """Ids of the chat template with generation prompt; `now`, in Unix seconds, is its time (0: the clock).

        Raises:
            InvalidRequest: the model's template refuses the conversation.
        """
        ...

    def decode(self, token_ids: Sequence[int], *, special: bool = False) -> str:
        """Text without special tokens, or with them spelled out."""
        ...

    async def complete(self, sequence: TokenSequence) -> Completion:
        """Continues one sequence; cancelling frees it at once.

        Raises:
            InvalidRequest: the JSON schema cannot be followed.
            ContextFull: the sequence leaves no room in the context.
            Unavailable: the engine does not run.
        """
        ...
