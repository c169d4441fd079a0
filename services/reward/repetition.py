"""Finds the longest loop in a text: one unit, of a character or of many words, again and again without a break."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

# Letters of scripts that put no spaces between words: Thai to Khmer, kana, Han.
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_ASCII = re.compile(r"[^\W_]+|([^\w\s]|_)\1*")
# The number of a list's item; items that differ in nothing else count as equal.
_ITEM = re.compile(r"^[ \t]*(\d+)(?=[.):])", re.MULTILINE)
_LITERALS = frozenset({"true", "false", "null", "none", "nan"})
_LONG_WORD = 24
_LONG_NUMBER = 128
_LONGEST_UNIT = 200


@dataclass(frozen=True)
class Token:
    """A word, a number, a character of a script without spaces, or a symbol; `start` and `end` are its place."""

    text: str
    start: int
    end: int

    @property
    def is_word(self) -> bool:
        """Whether it is of letters only, and no literal of a data format."""
        if self.text in _LITERALS:
            return False
        return any(character.isalpha() for character in self.text) and not any(map(str.isdigit, self.text))

    @property
    def is_symbol(self) -> bool:
        return not is_letter(self.text[0])


@dataclass(frozen=True)
class Loop:
    """A unit of `period` tokens that comes again and again.

    `tokens` follow the unit, each the same as the one `period` before it. `words` of the unit's tokens are words,
    `contents` of them words or numbers.
    """

    period: int
    tokens: int
    words: int
    contents: int

    @property
    def is_prose(self) -> bool:
        """Whether it is prose rather than data, a table or code."""
        return 3 * self.words > self.period

    @property
    def copies(self) -> float:
        return self.tokens / self.period + 1


def is_letter(character: str) -> bool:
    """Whether it is a letter, a digit, or a mark on one, as vowels of Thai and Hindi are."""
    return character.isalnum() or unicodedata.category(character)[0] == "M"


def tokens_of(text: str) -> list[Token]:
    """The tokens in order. Equal symbols without a gap are one; a word too long to be one is taken letter by letter."""
    lowered = text.lower()
    return list(_ascii_tokens(lowered) if lowered.isascii() else _tokens(lowered))


def _ascii_tokens(text: str) -> Iterator[Token]:
    for found in _ASCII.finditer(text):
        if found[1]:
            yield Token(found[1], *found.span())
        else:
            yield from _word(text, *found.span())


def _tokens(text: str) -> Iterator[Token]:
    start = 0
    while start < len(text):
        first, end = text[start], start + 1
        if first.isspace():
            start = end
            continue
        if not is_letter(first):
            while end < len(text) and text[end] == first:
                end += 1
            yield Token(first, start, end)
        elif _UNSPACED.match(first):
            while end < len(text) and unicodedata.category(text[end])[0] == "M":
                end += 1
            yield Token(text[start:end], start, end)
        else:
            while end < len(text) and is_letter(text[end]) and not _UNSPACED.match(text[end]):
                end += 1
            yield from _word(text, start, end)
        start = end


def _word(text: str, start: int, end: int) -> Iterator[Token]:
    """Numbers, also hexadecimal ones, may be longer than words."""
    word = text[start:end]
    longest = _LONG_NUMBER if any(map(str.isdigit, word)) else _LONG_WORD
    if len(word) <= longest:
        yield Token(word, start, end)
    else:
        yield from (Token(text[at], at, at + 1) for at in range(start, end))


def loops(text: str, tokens: list[Token]) -> list[Loop]:
    """The longest loop of each period that has one; the numbers of a list's items count as equal."""
    items = {found.start(1) for found in _ITEM.finditer(text)}
    numbers: dict[str, int] = {}
    ids = np.array([-1 if t.start in items else numbers.setdefault(t.text, len(numbers)) for t in tokens])
    found = []
    for period in range(1, min(_LONGEST_UNIT, len(ids) // 2) + 1):
        same = ids[period:] == ids[:-period]
        if np.count_nonzero(same) < period:
            continue
        edges = np.concatenate(([-1], np.flatnonzero(~same), [len(same)]))
        gaps = np.diff(edges) - 1
        longest = int(gaps.argmax())
        if gaps[longest] >= period:
            unit = tokens[int(edges[longest]) + 1 :][:period]
            contents = sum(not token.is_symbol for token in unit)
            found.append(Loop(period, int(gaps[longest]), sum(token.is_word for token in unit), contents))
    return found
