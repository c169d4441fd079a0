"""What the simulated engine says under a format: bytes that the format allows, drawn at random."""

from services.generation.grammars import Grammars, Matcher
from shared.text.grammars import ByteVocabulary

_CLOSING = tuple(b'"}]')
_PRINTABLE = range(0x20, 0x7F)


def byte_grammars(first: int, end: int) -> Grammars:
    """Grammars over a vocabulary of 256 ids from `first` on, one for each byte; the ids below say nothing, but `end`,
    which ends a response."""
    return Grammars(ByteVocabulary(first, end).tokenizer)


def choose(matcher: Matcher, draw: int, first: int, end: int) -> int:
    """One of the ids that may come next: one that closes a string, a list, an object or the response in a quarter of
    the draws, so that a response comes to its end, and a printable character where there is a choice."""
    closing, others = _choices(matcher, first, end)
    quarter, draw = draw % 4, abs(draw) // 4
    if closing and quarter == 0:
        return closing[draw % len(closing)]
    return others[draw % len(others)]


def chances(matcher: Matcher, first: int, end: int) -> dict[int, float]:
    """With which probability `choose` takes each id, over all draws."""
    closing, others = _choices(matcher, first, end)
    share = 0.25 if closing else 0.0
    found = {token: share / len(closing) for token in closing}
    for token in others:
        found[token] = found.get(token, 0.0) + (1 - share) / len(others)
    return found


def _choices(matcher: Matcher, first: int, end: int) -> tuple[list[int], list[int]]:
    """The ids that may come next: those that close something, and those that are taken otherwise."""
    allowed = matcher.allowed(first + 256)
    closing = [token for token in (end, *(first + byte for byte in _CLOSING)) if allowed[token]]
    others = [first + byte for byte in _PRINTABLE if allowed[first + byte]]
    return closing, others or [first + byte for byte in range(256) if allowed[first + byte]] or closing or [end]
