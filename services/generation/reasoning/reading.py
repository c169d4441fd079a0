"""A response in two parts: what the model thinks, and what it answers."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from services.generation.reasoning.marks import ReasoningMarks
from services.generation.response_text import Decode, Reader, continuing

Stage = Literal["undecided", "thinking", "answering"]
"""Where a response is: nobody can say yet whether it begins with a thought; within one; behind it, or without any."""

_BROKEN = "\ufffd"


@dataclass(frozen=True)
class Reading:
    """How a response reads, or its beginning: `reader` reads the answer, which begins behind the first `skipped` ids.

    `reasoning` is what stands between the marks, empty of a response that did not think. One that `begins` may turn out
    to have no thought.
    """

    stage: Stage
    reader: Reader
    skipped: int = 0
    reasoning: str = ""
    begins: bool = False

    @property
    def thinking(self) -> bool:
        return self.stage == "thinking"

    def text(self, token_ids: Sequence[int], *, complete: bool = False) -> str:
        """The answer in the ids, which begin with those that were read."""
        return "" if self.thinking else self.reader.text(token_ids[self.skipped :], complete=complete)

    def spelled(self, token_ids: Sequence[int]) -> str:
        """The answer with its special tokens spelled out."""
        return "" if self.thinking else self.reader.decode(token_ids[self.skipped :], special=True)

    def stop(self, token_ids: Sequence[int], known: int) -> tuple[int, str] | None:
        """The first stop string in the answer, as `Reader.stop` finds it."""
        if self.thinking:
            return None
        found = self.reader.stop(token_ids[self.skipped :], max(0, known - self.skipped))
        return None if found is None else (self.skipped + found[0], found[1])

    def answer(self, token_ids: Sequence[int]) -> Sequence[int]:
        """The ids of the answer, which formats concern."""
        return () if self.thinking else token_ids[self.skipped :]


@dataclass(frozen=True)
class ThoughtReader:
    """Finds the thought at the beginning of responses to one prompt, which has `opened` it already, or not.

    Blanks before an answer are left out, unless it has a form (`exact`).
    """

    marks: ReasoningMarks
    opened: bool
    exact: bool

    def read(self, token_ids: Sequence[int], reader: Reader, *, complete: bool = False) -> Reading:
        """How a response, or its beginning, reads by `reader`; a `complete` one does not begin a mark that it lacks."""
        spelled, opening = reader.decode(token_ids, special=True), self.marks.open
        begun = spelled.lstrip()
        if begun.startswith(opening):
            begin = len(spelled) - len(begun) + len(opening)
        elif self.opened:
            begin = 0
        elif complete or not opening.startswith(begun):
            return Reading("answering", reader)
        else:
            return Reading("thinking" if begun else "undecided", reader, len(token_ids) if begun else 0, begins=True)
        end = spelled.find(self.marks.close, begin)
        if end < 0:
            return Reading("thinking", reader, len(token_ids), _shown(spelled[begin:]))
        skipped = self._closed_by(token_ids, reader.decode, begin)
        behind = reader.decode(token_ids[:skipped], special=True)[end + len(self.marks.close) :]
        decode = _behind(reader.decode, token_ids[skipped - 1], behind, self.exact)
        return Reading("answering", replace(reader, decode=decode), skipped, _shown(spelled[begin:end]))

    def _closed_by(self, token_ids: Sequence[int], decode: Decode, begin: int) -> int:
        """How many ids there are up to the one that completes the closing mark."""
        if self.marks.close_id in token_ids:
            return token_ids.index(self.marks.close_id) + 1

        def closed(count: int) -> bool:
            return self.marks.close in decode(token_ids[:count], special=True)[begin:]

        return bisect_left(range(len(token_ids)), True, key=closed)


def _behind(decode: Decode, before: int, text: str, exact: bool) -> Decode:
    """Decodes an answer behind the token `before`, which holds the first `text` of it."""
    rest = continuing(decode, before)

    def decoded(token_ids: Sequence[int], *, special: bool = False) -> str:
        found = text + rest(token_ids, special=special)
        return found if exact else found.lstrip()

    return decoded


def _shown(thought: str) -> str:
    return thought.strip().rstrip(_BROKEN)
