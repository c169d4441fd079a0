"""Marks what spells a control token in user text, so that it does not become one on its way through a chat template.

A template may move a message, trim it, repeat it or drop it, so its text goes through the template as it is, but for
the spellings of control tokens: each of their characters is shifted into a Unicode plane in which no character is
assigned. Marked text has the same length as what it stands for.
"""

import re
from collections.abc import Iterable, Sequence
from itertools import groupby, takewhile

_PLANE = 0x10000
# Planes without a single assigned character.
_UNASSIGNED = range(4, 14)
_LAST = 0xFFFD


class Marks:
    """Marks of one Unicode plane. `end` is a character of that plane which no mark uses."""

    def __init__(self, plane: int) -> None:
        self._offset = plane * _PLANE
        self._marked = re.compile(f"[{chr(self._offset)}-{chr(self._offset + _LAST - 1)}]")
        self.end = chr(self._offset + _LAST)

    def mark(self, text: str, spellings: re.Pattern[str]) -> str:
        return spellings.sub(lambda found: self._shifted(found.group()), text)

    def is_marked(self, text: str) -> bool:
        return self._marked.search(text) is not None

    def unmark(self, text: str) -> str:
        return self._marked.sub(lambda found: chr(ord(found.group()) - self._offset), text)

    def _shifted(self, text: str) -> str:
        return "".join(chr(ord(c) + self._offset) if ord(c) < _LAST else c for c in text)


def free_plane(texts: Iterable[str]) -> int | None:
    """An unassigned Unicode plane of which no text has a character; None where the texts use all of them."""
    used = {ord(c) // _PLANE for text in texts if not text.isascii() for c in text}
    return next((plane for plane in _UNASSIGNED if plane not in used), None)


def spellings_of(tokens: Iterable[str]) -> re.Pattern[str]:
    """A pattern that finds the texts of the tokens; where several begin at one place, the longest.

    What texts begin with alike stands in it once, so that at each place of a text it looks at few of thousands.
    """
    return re.compile(_alternatives(sorted(set(filter(None, tokens)))) or r"(?!)")


def _alternatives(texts: Sequence[str]) -> str:
    """The pattern of different texts in alphabetical order; "" for none, and for the empty one alone."""
    branches = []
    for _, alike in groupby(filter(None, texts), key=lambda text: text[0]):
        group = list(alike)
        prefix = "".join(
            a for a, _ in takewhile(lambda pair: pair[0] == pair[1], zip(group[0], group[-1], strict=False))
        )
        branches.append(re.escape(prefix) + _alternatives([text[len(prefix) :] for text in group]))
    if not branches:
        return ""
    if len(branches) == 1 and "" not in texts:
        return branches[0]
    return f"(?:{'|'.join(branches)}){'?' if '' in texts else ''}"
