"""Patterns of profiles, in RE2, whose time grows with the text's length and with nothing else."""

from collections.abc import Iterable, Iterator

import re2

from shared.text.folding import folded

LONGEST = 1000
"""So many characters a pattern may have."""

_MEMORY = 4 * 1024**2
_EDGE = r"[^\pL\pN\pM]"
_UNSPACED = re2.compile(r"[\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Hiragana}\p{Katakana}\p{Han}]|[^\pL\pN]")


class Pattern:
    """A compiled pattern; raises ValueError, saying why, where it is none.

    A match of a text that may go on counts only where a character follows it: whatever comes then, it stays one.
    """

    def __init__(self, pattern: str) -> None:
        options = re2.Options()
        options.log_errors = False
        options.max_mem = _MEMORY
        try:
            self._whole = re2.compile(pattern, options)
            self._inside = re2.compile(f"(?:{pattern})(?s:.)", options)
        except re2.error as error:
            said = error.args[0] if error.args else "it cannot be compiled"
            why = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
            raise ValueError(f"cannot be used as a pattern (RE2's syntax, without look-around): {why}") from None

    def found(self, text: str, *, partial: bool = False) -> bool:
        """Whether it matches somewhere."""
        return (self._inside if partial else self._whole).search(text) is not None

    def matches(self, text: str, *, partial: bool = False) -> Iterator[str]:
        """What it matches, from left to right; nothing empty and, of a text that may go on, nothing that might grow."""
        for found in (self._inside if partial else self._whole).finditer(text):
            match = found.group(0)[:-1] if partial else found.group(0)
            if match and not (partial and found.end() == len(text)):
                yield match


def of_terms(terms: Iterable[str]) -> Pattern:
    """Matches any of the terms in a text that `plain` has made, as whole words, except in scripts without spaces."""
    groups: dict[tuple[str, str], list[str]] = {}
    for term in map(plain, terms):
        before, after = ("" if _UNSPACED.fullmatch(end) else _EDGE for end in (term[0], term[-1]))
        groups.setdefault((before and f"(?:^|{before})", after and f"(?:$|{after})"), []).append(re2.escape(term))
    return Pattern("|".join(f"{before}(?:{'|'.join(found)}){after}" for (before, after), found in groups.items()))


def plain(text: str) -> str:
    """The text without differences of case, of accents, and of how words are set apart."""
    return " ".join(folded(text).split())
