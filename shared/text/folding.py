"""Texts as word lists and patterns read them. Pure."""

import re
import unicodedata

_ACCENT = re.compile(r"[\u0300-\u036f]")
_DENSE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")


def folded(text: str) -> str:
    """Case-folded, without accents on Latin letters, with straight apostrophes: what word lists are written in."""
    parted = unicodedata.normalize("NFD", text.casefold().replace("’", "'"))
    return unicodedata.normalize("NFC", _ACCENT.sub("", parted))


def length_in_words(text: str) -> float:
    """Words, where two characters of a script without spaces between its words make one."""
    dense = len(_DENSE.findall(text))
    return dense / 2 if dense * 2 > len(text) else len(text.split())
