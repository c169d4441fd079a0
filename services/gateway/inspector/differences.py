"""What two texts share, word by word."""

import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Literal

Kind = Literal["same", "base", "evolved"]

_WORDS = re.compile(r"\w+|\s+|[^\w\s]")


def word_diff(base: str, evolved: str) -> Iterator[tuple[Kind, str]]:
    """Pieces in reading order: `same` and `base` joined give `base`, `same` and `evolved` give `evolved`."""
    old, new = _WORDS.findall(base), _WORDS.findall(evolved)
    for operation, i, j, k, m in SequenceMatcher(a=old, b=new).get_opcodes():
        if operation == "equal":
            yield "same", "".join(old[i:j])
            continue
        if i < j:
            yield "base", "".join(old[i:j])
        if k < m:
            yield "evolved", "".join(new[k:m])
