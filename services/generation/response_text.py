"""A response's text, and where the caller's stop strings end it."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from services.generation.hidden_tokens import HiddenTokens

# Decoding puts this in place of bytes that are no character, or not a whole one yet.
_BROKEN = "\ufffd"
_MOST_BYTES_WITHOUT_A_CHARACTER = 3


class Decode(Protocol):
    """The text of ids, without special tokens or with them spelled out."""

    def __call__(self, token_ids: Sequence[int], *, special: bool = False) -> str: ...


def continuing(decode: Decode, before: int) -> Decode:
    """Decodes ids that continue a text, whose last token is `before`: some tokenizers leave out the space before the
    first word of what they decode, and there it is part of the continuation."""

    def decoded(token_ids: Sequence[int], *, special: bool = False) -> str:
        head, text = decode([before], special=special), decode([before, *token_ids], special=special)
        return text[len(head) :] if text.startswith(head) else decode(token_ids, special=special)

    return decoded


@dataclass(frozen=True)
class Stops:
    """A caller's stop strings by where they can be found.

    Those `in_text` are found in the text. Those `spelled` contain a token that decoding hides, and are found only where
    such tokens are spelled out: first those that are one such token and nothing else, whose ids are `ids`, then the
    `mixed` ones.
    """

    in_text: tuple[str, ...]
    spelled: tuple[str, ...]
    ids: frozenset[int]

    @property
    def mixed(self) -> tuple[str, ...]:
        return self.spelled[len(self.ids) :]


def stops_of(strings: Sequence[str], hidden: HiddenTokens) -> Stops:
    """Sorts stop strings."""
    single = tuple(dict.fromkeys(string for string in strings if string in hidden))
    mixed = tuple(s for s in strings if s not in hidden and hidden.spellings.search(s))
    in_text = tuple(string for string in strings if string not in single and string not in mixed)
    return Stops(in_text, (*single, *mixed), frozenset(hidden[string] for string in single))


@dataclass(frozen=True)
class Reader:
    """Reads the responses to one request: their text, and where a stop string ends it."""

    decode: Decode
    stops: Stops

    def text(self, token_ids: Sequence[int], *, complete: bool = False) -> str:
        """The text up to its last whole character, or all of it where the model has ended it.

        A response may be cut within a character, whose further bytes come with the next ids.
        """
        text = self.decode(token_ids)
        if complete or not text.endswith(_BROKEN):
            return text
        # Some tokenizers decode a run of bytes as a whole, so a cut character makes those before it unreadable too.
        fewer = (token_ids[:-n] for n in range(1, 1 + _MOST_BYTES_WITHOUT_A_CHARACTER))
        return max((part.rstrip(_BROKEN) for part in (text, *map(self.decode, fewer))), key=len)

    def whole(self, before: Sequence[int], token_ids: tuple[int, ...]) -> tuple[int, ...]:
        """The ids, which follow those `before`, up to the last whole character."""
        while token_ids and self.decode((*before, *token_ids)).endswith(_BROKEN):
            token_ids = token_ids[:-1]
        return token_ids

    def stopped(self, token_ids: Sequence[int]) -> bool:
        """Whether a stop string occurs."""
        return _first(self.text(token_ids), self.stops.in_text) is not None or (
            bool(self.stops.spelled) and _first(self._spelled(token_ids), self.stops.spelled) is not None
        )

    def stop(self, token_ids: Sequence[int], known: int) -> tuple[int, str] | None:
        """Finds the first stop string: returns how many ids there are up to the token that completes it, and the text
        before it; None where none occurs.

        The count is at least `known`: of that many ids it is known that the caller keeps them.
        """
        stops = self.stops
        if not (stops.in_text or stops.spelled) or not self.stopped(token_ids):
            return None
        counts = range(known, len(token_ids))
        reached = token_ids[: known + bisect_left(counts, True, key=lambda count: self.stopped(token_ids[:count]))]
        text = self.text(reached)
        at = _first(text, stops.in_text)
        return len(reached), self._before_spelled(reached) if at is None else text[:at]

    def _before_spelled(self, token_ids: Sequence[int]) -> str:
        spelled = self._spelled(token_ids)
        at = _first(spelled, self.stops.spelled)
        assert at is not None

        def length(count: int) -> int:
            return len(self._spelled(token_ids[:count]))

        # The stop string begins within this token, or with it.
        within = bisect_right(range(len(token_ids)), at, key=length) - 1
        begun = spelled[length(within) : at] if self.decode(token_ids[within : within + 1]) else ""
        return self.text(token_ids[:within]) + begun

    def _spelled(self, token_ids: Sequence[int]) -> str:
        return self.decode(token_ids, special=True)


def _first(text: str, strings: Sequence[str]) -> int | None:
    return min((at for string in strings if (at := text.find(string)) >= 0), default=None)
