"""What rules measure of a text: its sentences, and how hard it is to read. Pure, and linear in the text's length."""

import re

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
# A paragraph ends, or an item of a list begins: what stands before is a sentence whatever it ends with.
_BLOCK = re.compile(r"\n[^\S\n]*\n|\n(?=[ \t]*(?:[-*•]|\d{1,3}[.)])[ \t])")
_MARKER = re.compile(r"\s*(?:[-*•]|\d{1,3}[.)])[ \t]")
# The end of a sentence, where something follows that does not go on in small letters.
_END = re.compile(r"(?<![.!?…])[.!?…]+[\"'”’)\]»*_]*\s+(?=[\"'“‘„«(\[¿¡*_]*([^\W_]))|[。！？]+(?=[^。！？]*[^\W_])")
_ABBREVIATION = re.compile(r"(?:^|[\s(])(?:mr|mrs|ms|dr|prof|st|vs|e\.g|i\.e|z\.b|[^\W\d_])$", re.IGNORECASE)
_NEAR = 8
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")


def words(text: str) -> list[str]:
    """The words, numbers too, without signs around them."""
    return _WORD.findall(text)


def sentences(text: str) -> int:
    """How many sentences have begun. Each item of a list is one at least; signs alone are none."""
    return sum(_of_block(block) for block in _BLOCK.split(text) if _WORD.search(block))


def _of_block(block: str) -> int:
    marker = _MARKER.match(block)
    start = marker.end() if marker else 0
    return 1 + sum(_ends(block, found, start) for found in _END.finditer(block, start))


def _ends(block: str, found: re.Match[str], start: int) -> bool:
    """Whether a mark ends a sentence: one precedes it, small letters do not follow, and it is no abbreviation's."""
    follows = found[1] or ""
    before = block[max(start, found.start() - _NEAR) : found.start()]
    abbreviates = found[0].startswith(".") and _ABBREVIATION.search(before)
    return bool(before.strip()) and not follows.islower() and not abbreviates


def grade(text: str) -> float | None:
    """The school grade (US) that a text needs: the automated readability index, 4.71 letters a word + 0.5 words a
    sentence - 21.43 (Smith and Senter 1967). It was fitted to English and takes a word's length for its difficulty.
    None where nothing can be said: no words, or a script that puts no spaces between them.
    """
    found = words(text)
    letters = sum(map(len, found))
    if not found or 2 * len(_UNSPACED.findall(text)) > letters:
        return None
    return 4.71 * letters / len(found) + 0.5 * len(found) / max(1, sentences(text)) - 21.43
