"""Whether an instruction asks for what would be degenerate otherwise: repetition, or signs without words."""

import re

_REPEAT = re.compile(
    r"\brepeat|\btimes\b|\bover and over|\bagain and again|\b(ha|la|na|ho|blah)\b|\blaugh|\bsing\b|\bsongs?\b|"
    r"\blyrics?\b|\bchorus|\brefrain|\bchant|\bmantra|\becho\b|\bcopies\b|\blines? of\b|\brows? of\b|\bfill|\bpattern|"
    r"\bpadd(ed|ing)\b|\bmatrix|\bmatrices|\bgrid|\bboard\b|\barray|\btensor|\bvector|\bzero(s|es)\b|\bones\b|\bbinary|"
    r"\bbits?\b|\bbytes?\b|\bhex|\bdump|\bascii|\bpixel|\bloop|"
    r"\brepite|\brepita|\bveces\b|\bvezes\b|\brépèt|\bfois\b|\bwiederhol|\bmal\b|\bripeti|\bvolte\b|повтори|\bраз\b|"
    r"重复|重複|遍|次|繰り返|回",
    re.IGNORECASE,
)
_SIGNS = re.compile(
    r"emoji|emoticon|kaomoji|smiley|symbol|\bsigns?\b|punctuation|operator|\bcharacters?\b|morse|braille|ascii|arrow|"
    r"\bdraw|\bart\b|\bmarks?\b|\bdots?\b|\bstars?\b|\bregex|\bregular expression|\bdelimiter|\bseparator|"
    r"\bbrackets?\b|表情|符号|絵文字|記号|[\U0001f000-\U0001faff\u2190-\u2bff]",
    re.IGNORECASE,
)
_WORDS = "two three four five six seven eight nine ten eleven twelve dozen twenty thirty fifty hundred thousand"
_VALUES = (*range(2, 13), 12, 20, 30, 50, 100, 1000)
_NUMBERS = dict(zip(_WORDS.split(), _VALUES, strict=True))
_NUMBER = re.compile(rf"\d{{1,6}}|\b(?:{'|'.join(_NUMBERS)})\b", re.IGNORECASE)
_SQUARE = re.compile(r"(\d{1,3})\s*(?:x|×|by|\*)\s*(\d{1,3})", re.IGNORECASE)
_UNSAID = 24
_MOST = 1000


def copies_requested(instruction: str) -> int:
    """How many copies of one thing in a row an answer may hold because they were asked for; 0: none were."""
    if not _REPEAT.search(instruction):
        return 0
    numbers = [_NUMBERS.get(said.lower()) or int(said) for said in _NUMBER.findall(instruction)]
    areas = [int(rows) * int(columns) for rows, columns in _SQUARE.findall(instruction)]
    return min(_MOST, max([*numbers, *areas, 0]) or _UNSAID)


def signs_requested(instruction: str) -> bool:
    """Whether an answer without a letter or a digit may be right."""
    return bool(_SIGNS.search(instruction))
