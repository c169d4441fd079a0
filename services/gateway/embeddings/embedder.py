"""The port to what embeds texts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

TokenIds = tuple[int, ...]


@dataclass(frozen=True)
class Embeddings:
    """The vectors of the inputs, each of little-endian float32 numbers, and how many tokens all inputs have."""

    vectors: tuple[bytes, ...]
    tokens: int


class Embedder(Protocol):
    """Embeds inputs, all of them or none. It works on the event loop of its first call, until it is closed."""

    async def embed(
        self, inputs: Sequence[str] | Sequence[TokenIds], dimensions: int | None, timeout_s: float
    ) -> Embeddings:
        """The inputs' embeddings in their order; with `dimensions`, of so many numbers each.

        Errors name fields of the request: an input is `input.{its number}`.

        Raises:
            ContextLengthExceeded: an input is longer than the model reads.
            InvalidRequest: an input or `dimensions` is not possible.
            Overloaded, Unavailable: whoever computes is full or away; the same call may succeed later.
            DeadlineExceeded: `timeout_s` passed.
            Unsupported: it is set up wrongly; the message names the setting.
            Internal: what came back cannot be read.
        """
        ...

    async def close(self) -> None:
        """Ends its connections."""
        ...
