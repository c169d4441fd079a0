"""What an endpoint may be able to do beyond plain completions, and what one is known to do."""

from dataclasses import dataclass
from typing import Any, Literal

from shared.errors import DeadlineExceeded, Overloaded, Unavailable

COMPLETIONS, CHATS = "completions", "chat/completions"
"""The paths of completions and of chats, below the endpoint's URL."""

Api = Literal["auto", "completions", "chat"]
"""By which of them an endpoint is asked: by completions where it has them, for auto."""

TokenMode = Literal["auto", "ids", "text"]
"""How continuations are given: as token ids, as text, or as ids where the endpoint takes and returns them."""

TRANSIENT = (Unavailable, Overloaded, DeadlineExceeded)
"""The errors of an endpoint that may be back later."""

FIELDS: dict[str, Any] = {
    "top_k": 40,
    "cache_salt": "probe",
    "include_stop_str_in_output": True,
    "repetition_penalty": 1.0,
    "min_p": 0.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "logit_bias": {},
    "ignore_eos": False,
    "response_format": {"type": "json_schema", "json_schema": {"name": "probe", "schema": {"type": "object"}}},
}
"""Fields that not every endpoint knows, each with a value that every endpoint accepts which supports the field."""

LARGE_SEED, SMALL_SEED = 2**63 - 1, 2**31 - 1
STANDARD: dict[str, tuple[Any, ...]] = {
    "temperature": (0.7, 0.0),
    "top_p": (0.9, 1.0),
    "seed": (LARGE_SEED, SMALL_SEED),
}
"""Fields of OpenAI's completions that some endpoints refuse, or some values of them."""

STANDARD_PAIRS = tuple((name, value) for name, values in STANDARD.items() for value in values)
TOKEN_LIMITS = ("max_tokens", "max_completion_tokens")
"""Names of the field that bounds the tokens of a completion; an endpoint takes one of them."""

EVERY_TOKEN = (-1, 0)
"""Values of `top_k` that keep every token; an endpoint takes one of them."""


@dataclass(frozen=True)
class Capabilities:
    """What an endpoint supports.

    `takes_ids` says whether a prompt may be token ids, `returns_ids` whether a response holds the sampled ids. `fields`
    are those of `FIELDS` that have an effect, `standard` the pairs of a field and a value of `STANDARD` that are
    accepted. `limit` is the field that bounds the tokens, `every_token` the `top_k` that keeps all of them, None where
    there is none. `counts_alike` says whether the endpoint counts as many tokens in a prompt as our tokenizer does, and
    `logprobs` whether it gives log probabilities of tokens by their ids.

    With `chat` it is asked by chats, `stops` says whether these may name stop strings, and `continuing` how a last
    message of the assistant's is continued there: a name of `CONTINUATIONS`, or None where it is not. Where it
    `repeats`, a reply begins with what it continues.
    """

    takes_ids: bool
    returns_ids: bool
    fields: frozenset[str]
    standard: frozenset[tuple[str, Any]] = frozenset(STANDARD_PAIRS)
    limit: str = TOKEN_LIMITS[0]
    every_token: int | None = EVERY_TOKEN[0]
    counts_alike: bool = True
    logprobs: bool = False
    chat: bool = False
    stops: bool = False
    continuing: str | None = None
    repeats: bool = False

    @property
    def continues(self) -> bool:
        """Whether a response can be continued."""
        return not self.chat or self.continuing is not None

    @property
    def exact(self) -> bool:
        """Whether a continuation is of exactly the ids that were sampled."""
        return self.takes_ids and self.returns_ids

    @property
    def lacks(self) -> tuple[str, ...]:
        """What requests have to leave out, each a field or a field and a value."""
        refused = [f"{name} {value}" for name, value in STANDARD_PAIRS if (name, value) not in self.standard]
        return (*(name for name in FIELDS if name not in self.fields), *refused)

    def __str__(self) -> str:
        tokens = "token-exact" if self.exact else "not token-exact: text is sent and tokenised again"
        if self.chat:
            way = f"continues responses ({self.continuing})" if self.continuing else "continues no response"
            tokens = f"by chats; {way}; not token-exact: text stands for tokens"
        supports = f"supports {', '.join(sorted(self.fields)) or 'no field beyond the standard'}"
        return "; ".join([tokens, supports, *([f"does without {', '.join(self.lacks)}"] if self.lacks else [])])
