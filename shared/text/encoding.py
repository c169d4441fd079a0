"""Encodes what a chat template has printed: control tokens of the template as such, those spelled in messages as text.

Which control tokens a Rust tokenizer finds is part of its state. So there are three tokenizers, none of which changes
after construction: all may be used from several threads at once.
"""

import copy
import json
from collections.abc import Iterable, Sequence
from typing import Any

from tokenizers import AddedToken, Encoding, Tokenizer

from shared.errors import InvalidRequest
from shared.text.marks import Marks

# Characters that hardly any vocabulary has, some of which every normalizer leaves. They are encoded as the unknown
# token, a control token to which any text may lead.
_UNKNOWN = "\U00012000\U000130a9\U000c1234"


class TextEncoder:
    """Encodes by copies of `backend`, whose control tokens have the texts `control`."""

    def __init__(self, backend: Tokenizer, control: Iterable[str]) -> None:
        names = list(control)
        self._finding = _unlimited(copy.deepcopy(backend))
        self._literal = _literal(copy.deepcopy(self._finding), names)
        self._literal_inside = _inside(self._finding, names) or self._literal
        self.control_ids = frozenset(found for name in names if (found := backend.token_to_id(name)) is not None)
        self._unknown = frozenset(self._literal.encode(_UNKNOWN, add_special_tokens=False).ids)

    def encode_text(self, text: str) -> list[int]:
        """The ids of a text in which nothing counts as a control token."""
        return self._text(text, begins=True)

    def encode_raw(self, text: str) -> list[int]:
        """The ids of a text as the tokenizer itself encodes it, control tokens and beginning included."""
        return list(self._finding.encode(text, add_special_tokens=True).ids)

    def encode_rendered(self, text: str, marks: Marks | None = None) -> list[int]:
        """The ids of what a template printed. Nothing in the marked parts counts as a control token."""
        found = self._finding.encode(text, add_special_tokens=False)
        if marks is None or not marks.is_marked(text):
            return list(found.ids)
        ids: list[int] = []
        for start, stop, piece in self._pieces(found, len(text)):
            if marks.is_marked(text[start:stop]):
                ids += self._text(marks.unmark(text[start:stop]), begins=start == 0)
            else:
                ids += piece
        return ids

    def control_at(self, text: str, start: int, stop: int | None = None) -> int | None:
        """The first control token that begins at `start` or later, and before `stop`, in what a template printed."""
        found = self._finding.encode(text, add_special_tokens=False)
        for token, (begin, end) in zip(found.ids, found.offsets, strict=True):
            if token in self.control_ids and end > start and begin >= start and (stop is None or begin < stop):
                return token
        return None

    def _pieces(self, found: Encoding, length: int) -> Iterable[tuple[int, int, Sequence[int]]]:
        """(start, stop, ids) of each control token and of the text between them, in order."""
        since, ids = 0, []
        for token, (begin, end) in zip(found.ids, found.offsets, strict=True):
            # Marked characters may be unknown to the vocabulary.
            if token not in self.control_ids or token in self._unknown:
                ids.append(token)
                continue
            yield since, begin, ids
            yield begin, begin, [token]
            since, ids = end, []
        yield since, length, ids

    def _text(self, text: str, begins: bool) -> list[int]:
        found = (self._literal if begins else self._literal_inside).encode(text, add_special_tokens=False)
        for token, (begin, end) in zip(found.ids, found.offsets, strict=True):
            if token in self.control_ids and token not in self._unknown:
                return self._apart(text, begins, begin, end)
        return list(found.ids)

    def _apart(self, text: str, begins: bool, begin: int, end: int) -> list[int]:
        """Cuts a text in two within [begin, end), where a control token was found though there should be none.

        That happens where a vocabulary of whole words holds the control token's text as a word.
        """
        if end - begin < 2:
            raise InvalidRequest(
                f"the text {text[begin:end]!r} is a control token of the model and cannot be written otherwise: "
                "leave it out",
                field="messages",
            )
        middle = (begin + end) // 2
        return self._text(text[:middle], begins) + self._text(text[middle:], begins=False)


def _unlimited(backend: Tokenizer) -> Tokenizer:
    backend.no_truncation()
    backend.no_padding()
    return backend


def _literal(backend: Tokenizer, control: Sequence[str]) -> Tokenizer:
    backend.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in control])
    backend.encode_special_tokens = True
    return backend


def _inside(backend: Tokenizer, control: Sequence[str]) -> Tokenizer | None:
    """A tokenizer for text that follows other text; None where that makes no difference.

    Some vocabularies put a space before the first word of a text, and before none that follows a control token.
    """
    described = json.loads(backend.to_str())
    if not _never_prepending(described.get("pre_tokenizer")):
        return None
    return _literal(_unlimited(Tokenizer.from_str(json.dumps(described))), control)


def _never_prepending(step: Any) -> bool:
    """Changes the prepend scheme "first" of Metaspace steps, also within a sequence, to "never"; True where it did."""
    if not isinstance(step, dict):
        return False
    changed = [_never_prepending(part) for part in step.get("pretokenizers", ())]
    if step.get("type") == "Metaspace" and step.get("prepend_scheme") == "first":
        step["prepend_scheme"] = "never"
        return True
    return any(changed)
