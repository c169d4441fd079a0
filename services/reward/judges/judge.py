"""The port to a language model that answers questions by yes or no."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

_AROUND = "▁Ġ \n\t\"'`*_.,:!([#>"
"""What stands around the word where tokenizers spell blanks, and where models mark it up."""


@dataclass(frozen=True)
class Answer:
    """P(yes) of P(yes) + P(no) at the first token of the answer; None: neither word is among the likeliest tokens.

    Tokens are those of the question: computed, and reused from the model's cache.
    """

    yes: float | None
    computed_tokens: int = 0
    cached_tokens: int = 0


class Judge(Protocol):
    """Answers questions, each a text that demands yes or no. Nothing is sampled, so that answers are repeatable."""

    async def start(self) -> None:
        """Connects; called once, before any question.

        Raises:
            Unsupported: there is no such judge, or it gives no log probabilities; `field` names what to change.
            Unavailable: it cannot be reached.
        """
        ...

    async def ask(self, questions: Sequence[str], cache_salt: str, key: str) -> list[Answer | None]:
        """An answer to each question, in their order; None to one that is longer than the model's context.

        What is cached of the questions is shared with calls of the same salt only. Calls of one `key` prefer one
        replica.

        Raises:
            Unavailable, Overloaded, DeadlineExceeded: no answer comes now.
            InvalidRequest, Unsupported, Internal: it refuses, or is not what it should be.
        """
        ...

    async def close(self) -> None:
        """Frees everything, also where `start` has failed."""
        ...


def chance_of_yes(tokens: Iterable[tuple[str, float]]) -> float | None:
    """P(yes) of P(yes) + P(no), over all spellings of both among tokens with their log probabilities; None: neither is
    there."""
    chances = {"yes": 0.0, "no": 0.0}
    for token, logprob in tokens:
        word = token.strip(_AROUND).lower()
        if word in chances:
            chances[word] += math.exp(logprob)
    total = sum(chances.values())
    return chances["yes"] / total if total else None
