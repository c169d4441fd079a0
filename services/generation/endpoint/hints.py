"""Hints for routers between here and the models: whose a request is, how urgent, and what its prefix is shared with.

None is sent unless a setting names it: not every server takes a field that it does not know, and where an endpoint is
somebody else's, that two requests belong together is told to nobody by default. No name and no salt is sent, only
digests of them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from types import MappingProxyType
from typing import Any

from services.generation.engine import TokenSequence

Value = Callable[[TokenSequence], str | int]


@dataclass(frozen=True)
class Hints:
    """Headers and fields of one request."""

    headers: Mapping[str, str]
    fields: Mapping[str, Any]


def _tenant(sequence: TokenSequence) -> str:
    """The same for all requests of a tenant; it does not tell the salt, by which caches are kept apart."""
    return _digest("tenant", sequence.cache_salt)


def _search(sequence: TokenSequence) -> str:
    return _digest("search", sequence.origin.evolution)


def _conversation(sequence: TokenSequence) -> str:
    """The same for all that begin alike: of the conversation without its last two turns, or of a short one's search."""
    begins = sequence.messages[:-2]
    if not begins:
        return _search(sequence)
    return _digest("conversation", sequence.cache_salt, *(f"{each.role}\n{each.content}" for each in begins))


HEADERS: Mapping[str, Value] = MappingProxyType(
    {
        "x-fairness-id": _tenant,
        "x-gateway-inference-fairness-id": _tenant,
        "x-session-id": _search,
    }
)
FIELDS: Mapping[str, Value] = MappingProxyType(
    {
        "priority": lambda sequence: sequence.origin.priority,
        "prompt_cache_key": _conversation,
    }
)
NAMES = (*HEADERS, *FIELDS)
"""Every hint that a setting may name."""


def hints_of(sequence: TokenSequence, names: frozenset[str]) -> Hints:
    """The hints of these names, without those of which nothing is known."""
    return Hints(
        {name: str(found) for name, value in HEADERS.items() if name in names and (found := value(sequence)) != ""},
        {name: found for name, value in FIELDS.items() if name in names and (found := value(sequence)) != ""},
    )


def _digest(*parts: str) -> str:
    """Empty where the last part is."""
    return blake2b("\0".join(parts).encode(), digest_size=16).hexdigest() if parts[-1] else ""
