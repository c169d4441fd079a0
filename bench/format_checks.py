"""Whether an answer holds the form that a prompt of `bench/formats.jsonl` asks for: a check for each kind. Pure.

They look at the form alone. A wrong capital in the right JSON holds; a right number in a sentence does not.
"""

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

_SENTENCE_END = re.compile(r"[.!?](?=\s|$)")
_TALK = re.compile(r"\b(?:translat|übersetz|tradu|here is|here's|sure|note)", re.IGNORECASE)
_ITEM_MARK = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s*")
MOST_WORDS_OF_A_SENTENCE = 45


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().splitlines() if line.strip()]


def _bare(text: str) -> str:
    return text.strip().strip("\"'“”«».!*` ").casefold()


def translate(text: str, want: int) -> bool:
    """One line of at most `want` words that does not talk about translating."""
    return len(_lines(text)) == 1 and len(text.split()) <= want and not _TALK.search(text)


def one_of(text: str, want: Sequence[str]) -> bool:
    """One of the answers in `want`, and nothing else."""
    return _bare(text) in want


def one_sentence(text: str, want: None) -> bool:
    """One line with one end of a sentence, at its end, and no more words than one sentence bears."""
    ends = _SENTENCE_END.findall(text.strip())
    whole = text.strip()[-1:] in (".", "!", "?")
    return len(_lines(text)) == 1 and len(ends) == 1 and whole and len(text.split()) <= MOST_WORDS_OF_A_SENTENCE


def title(text: str, want: int) -> bool:
    """One line of at most `want` words that is no sentence about the title."""
    return len(_lines(text)) == 1 and len(text.split()) <= want and not _TALK.search(text)


def fields(text: str, want: Sequence[str]) -> bool:
    """A line "field: value" for each field, in any order, and no other line."""
    found = [re.match(r"(\w+)\s*:\s*\S", line) for line in _lines(text)]
    return sorted(match[1].casefold() if match else "" for match in found) == sorted(want)


def json_only(text: str, want: Sequence[str]) -> bool:
    """A JSON object with those keys, and no text around it."""
    try:
        value = json.loads(text)
    except ValueError:
        return False
    return isinstance(value, dict) and sorted(value) == sorted(want)


def number(text: str, want: None) -> bool:
    """Digits alone."""
    return re.fullmatch(r"\W*\d[\d.,]*\W*", text.strip()) is not None


def items(text: str, want: tuple[int, int]) -> bool:
    """So many items of at most so many words each, one a line or parted by commas."""
    count, words = want
    lines = _lines(text)
    found = lines if len(lines) != 1 else lines[0].split(",")
    return len(found) == count and all(len(_ITEM_MARK.sub("", item).split()) <= words for item in found)


def words(text: str, want: int) -> bool:
    """At least one word and at most `want`."""
    return 1 <= len(text.split()) <= want


CHECKS: dict[str, Callable[[str, Any], bool]] = {
    "translate": translate,
    "yes_no": one_of,
    "one_sentence": one_sentence,
    "title": title,
    "label": one_of,
    "fields": fields,
    "json": json_only,
    "number": number,
    "list": items,
    "words": words,
}
