"""Log probabilities of an endpoint that names tokens by their ids, as vLLM does: text would not tell which they are."""

from collections.abc import Sequence
from typing import Any

from services.generation.endpoint.responses import CompletionChoice
from services.generation.engine import Likelihoods

_NAME = "token_id:"


def logprobs_fields(alternatives: int) -> dict[str, Any]:
    """The fields of a `/completions` request by which its response has so many alternatives for each token."""
    return {"logprobs": alternatives, "return_tokens_as_token_ids": True}


def read_likelihoods(
    choice: CompletionChoice, token_ids: Sequence[int], alternatives: int
) -> tuple[Likelihoods, ...] | None:
    """What a choice says of its tokens, whose ids are given; None where that is not about these tokens, or not said of
    enough alternatives."""
    given = choice.logprobs
    if given is None or list(map(_id, given.tokens)) != list(token_ids):
        return None
    if not len(given.tokens) == len(given.token_logprobs) == len(given.top_logprobs):
        return None
    found = [
        Likelihoods(logprob, _ranked(top)[:alternatives])
        for logprob, top in zip(given.token_logprobs, given.top_logprobs, strict=True)
    ]
    known = all(len(each.top) == alternatives and all(token >= 0 for token, _ in each.top) for each in found)
    return tuple(found) if known else None


def _ranked(top: dict[str, float]) -> tuple[tuple[int, float], ...]:
    """The sampled token is among the likeliest, or beside them where it is none of them."""
    return tuple(sorted(((_id(name), logprob) for name, logprob in top.items()), key=lambda item: -item[1]))


def _id(name: str) -> int:
    """-1 where the name is none of an id."""
    digits = name.removeprefix(_NAME)
    return int(digits) if name.startswith(_NAME) and digits.isascii() and digits.isdigit() else -1
