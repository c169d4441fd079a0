"""User text on its way through a chat template, so that what spells a control token does not become one.

A template is a program: it may look into a message (to cut out thinking, say), move it, trim it, repeat it or drop it.
It is therefore given the text itself, and only what it prints is marked: each character of a control token's text is
shifted into a Unicode plane in which no character is assigned. Marked text has the same length as what it stands for.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

_PLANE = 0x10000
# Planes without a single assigned character.
_UNASSIGNED = range(4, 14)
_LAST = 0xFFFD


class Marks:
    """Marks the texts of control tokens, by shifting them into a plane; `end` is a character of that plane, never used
    by a mark."""

    def __init__(self, spellings: re.Pattern[str], plane: int) -> None:
        self._spellings = spellings
        self._offset = plane * _PLANE
        self._marked = re.compile(f"[{chr(self._offset)}-{chr(self._offset + _LAST - 1)}]")
        self.end = chr(self._offset + _LAST)

    def mark(self, text: str) -> str:
        return self._spellings.sub(lambda found: self._shifted(found.group()), text)

    def is_marked(self, text: str) -> bool:
        return self._marked.search(text) is not None

    def unmark(self, text: str) -> str:
        return self._marked.sub(lambda found: chr(ord(found.group()) - self._offset), text)

    def _shifted(self, text: str) -> str:
        return "".join(chr(ord(c) + self._offset) if ord(c) < _LAST else c for c in text)


def free_plane(texts: Iterable[str]) -> int | None:
    """An unassigned Unicode plane of which no text has a character; None where they have of each."""
    used = {ord(c) // _PLANE for text in texts if not text.isascii() for c in text}
    return next((plane for plane in _UNASSIGNED if plane not in used), None)


def spellings_of(tokens: Iterable[str]) -> re.Pattern[str]:
    """Finds any of the tokens' texts, the longest where several begin at one place."""
    longest_first = sorted(filter(None, tokens), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")


class GuardedText(str):
    """Text that a template sees as it is, and prints marked.

    Methods that return parts of the text return guarded ones; where the text is joined with other text, marks are put.
    """

    __slots__ = ("_mark",)
    _mark: Callable[[str], str]

    def __new__(cls, text: str, mark: Callable[[str], str]) -> "GuardedText":
        made = super().__new__(cls, text)
        made._mark = mark
        return made

    def __str__(self) -> str:
        return self._mark(str.__str__(self))

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __add__(self, other: Any) -> str:
        return f"{self}{other}"

    def __radd__(self, other: Any) -> str:
        return f"{other}{self}"

    def __mul__(self, times: Any) -> str:
        repeated: str = str(self) * times
        return repeated

    def __getitem__(self, key: Any) -> str:
        part: str = self._guarded(str.__getitem__(self, key))
        return part

    def _guarded(self, part: Any) -> Any:
        if isinstance(part, str):
            return GuardedText(part, self._mark)
        return type(part)(self._guarded(each) for each in part)


def _guarding(name: str) -> Callable[..., Any]:
    plain = getattr(str, name)

    def method(self: GuardedText, *args: Any, **kwargs: Any) -> Any:
        return self._guarded(plain(self, *args, **kwargs))

    method.__name__ = name
    return method


_RETURNING_PARTS: Sequence[str] = (
    *("strip", "lstrip", "rstrip", "removeprefix", "removesuffix", "replace", "expandtabs", "zfill"),
    *("lower", "upper", "title", "capitalize", "casefold", "swapcase", "center", "ljust", "rjust"),
    *("split", "rsplit", "splitlines", "partition", "rpartition"),
)
for _name in _RETURNING_PARTS:
    setattr(GuardedText, _name, _guarding(_name))
