"""A penalty for degenerate text, which reward models otherwise fall for; deterministic, without a model.

Real responses must not feel it. Of the 9,978 non-empty responses (chosen and rejected) of the shared preference data
99.1% score exactly 0 (`python -m services.reward.calibrate DATA_DIR` prints the figure), and most of the others are
loops that deserve their penalty. A floor of 8 letters, which one might expect, would hit 2.2% of them: "Paris.", "42"
and "Yes." are answers. So fewer than 3 letters and digits cost a mild -0.3, enough to lose against an equally good
sentence and no more; text without any letter or digit is treated almost like an empty one.
"""

import re
import zlib
from collections.abc import Sequence
from itertools import groupby

from services.reward.scorer import ComponentScore, ScoreItem

EMPTY = -4.0
"""What an empty response gets, and the least that any response gets."""

_NO_CONTENT = -3.5
_SHORT = -0.3
_SHORT_BELOW = 3
_LONGEST_RUN = 5
_RUN_STEP = 0.5
_MIN_NGRAMS = 20
_MIN_DISTINCT = 0.25
_MIN_BYTES = 150
_MIN_ZLIB_RATIO = 0.15
_MIN_CHARACTERS = 20
_MIN_LETTERS = 0.15
_WORD = re.compile(r"\w+")


class GuardScorer:
    """The penalty as a scorer."""

    def load(self) -> None: ...

    def score(self, batch: Sequence[ScoreItem]) -> list[ComponentScore]:
        return [ComponentScore(penalty(item.text)) for item in batch]

    def close(self) -> None: ...


def penalty(text: str) -> float:
    """At most 0, at least `EMPTY`; works for partial responses too.

    Sums what is wrong: nearly nothing said, one word many times in a row, few distinct word trigrams, bytes that
    compress too well, few letters among the characters.
    """
    if not text.strip():
        return EMPTY
    content = sum(character.isalnum() for character in text)
    if content == 0:
        return _NO_CONTENT
    words = _WORD.findall(text.lower())
    short = _SHORT if content < _SHORT_BELOW else 0.0
    return max(EMPTY, short + _run(words) + _trigrams(words) + _compression(text) + _letters(text))


def _run(words: Sequence[str]) -> float:
    longest = max((sum(1 for _ in same) for _, same in groupby(words)), default=0)
    return -_RUN_STEP * max(0, longest - _LONGEST_RUN)


def _trigrams(words: Sequence[str]) -> float:
    count = len(words) - 2
    if count < _MIN_NGRAMS:
        return 0.0
    distinct = len(set(zip(words, words[1:], words[2:], strict=False))) / count
    return -3.0 * _shortfall(distinct, _MIN_DISTINCT)


def _compression(text: str) -> float:
    data = text.encode("utf-8", "surrogatepass")
    if len(data) < _MIN_BYTES:
        return 0.0
    return -3.0 * _shortfall(len(zlib.compress(data)) / len(data), _MIN_ZLIB_RATIO)


def _letters(text: str) -> float:
    visible = sum(not character.isspace() for character in text)
    if visible < _MIN_CHARACTERS:
        return 0.0
    return -2.0 * _shortfall(sum(character.isalpha() for character in text) / visible, _MIN_LETTERS)


def _shortfall(value: float, least: float) -> float:
    return max(0.0, (least - value) / least)
