"""Brings texts into the form in which word lists and patterns are written. Pure."""

import re
import unicodedata

_ACCENT = re.compile(r"[\u0300-\u036f]")
_DENSE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
# Control characters, what ends lines and paragraphs, and halves of characters.
_BREAKS = frozenset({"Cc", "Zl", "Zp", "Cs"})


def folded(text: str) -> str:
    """The text case-folded, without accents on Latin letters, with straight apostrophes."""
    parted = unicodedata.normalize("NFD", text.casefold().replace("’", "'"))
    return unicodedata.normalize("NFC", _ACCENT.sub("", parted))


def length_in_words(text: str) -> float:
    """The number of words. In scripts without spaces between words, two characters count as one word."""
    dense = len(_DENSE.findall(text))
    return dense / 2 if dense * 2 > len(text) else len(text.split())


def is_one_line(text: str) -> bool:
    """Whether a text has no control characters, ends of lines or halves of characters, nor blanks around it."""
    return text == text.strip() and not any(unicodedata.category(each) in _BREAKS for each in text)
