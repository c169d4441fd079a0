"""A penalty for degenerate text, which reward models otherwise fall for; deterministic, without a model.

Right answers must get no penalty, be they prose, numbers, code, a table or one sign: what counts is that something is
said again and again, or that nothing is said. Repetition that the instruction asks for costs nothing. Of the 9,978
non-empty responses (chosen and rejected) of the shared preference data 98.5% score exactly 0 (`python -m
services.reward.calibrate DATA_DIR` prints the figure), and nearly all of the others are loops that deserve their
penalty.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby

from services.reward.repetition import Loop, Token, loops, tokens_of
from services.reward.requested_repetition import copies_requested, signs_requested
from services.reward.scorer import ComponentScore, ItemScorer, ScoreItem

EMPTY = -4.0
"""What an empty response gets, and the least that any response gets."""

_NO_CONTENT = -3.5
_COPY = -0.5
# Copies in a row that cost nothing: of one word, of a phrase, of numbers and symbols as tables and code hold them.
_WORD_COPIES, _PHRASE_COPIES, _SIGN_COPIES = 5, 3, 16
_SIGN_COPY = -0.1
_LONGEST_RUN_OF_SIGNS = 80
_MIN_TRIGRAMS = 20
_MIN_DISTINCT = 0.25
_MIN_WORDS = 5
_MIN_SYMBOLS = 20
_MIN_CONTENT = 0.15


class GuardScorer(ItemScorer):
    """The penalty as a scorer."""

    def _score(self, item: ScoreItem) -> ComponentScore:
        return ComponentScore(penalty(item.text, item.conversation.instruction))


def penalty(text: str, instruction: str = "") -> float:
    """At most 0, at least `EMPTY`, for a response to `instruction`; works for partial responses too.

    Sums what is wrong: the worst loop, prose of few distinct word trigrams, hardly a letter or digit among symbols.
    A loop never costs less for running on.
    """
    if not text.strip():
        return EMPTY
    tokens = tokens_of(text)
    requested, signs = copies_requested(instruction), signs_requested(instruction)
    if not any(character.isalnum() for character in text):
        return _signs(text) if signs else _NO_CONTENT
    looping = min((_cost(loop, requested) for loop in loops(text, tokens)), default=0.0)
    varied = 0.0 if requested else _trigrams(text, tokens)
    return max(EMPTY, looping + varied + (0.0 if signs else _content(tokens)))


def _cost(loop: Loop, requested: int) -> float:
    """The penalty for the copies beyond those allowed; loops of symbols alone are rules, blanks to fill in and the
    like."""
    if not loop.contents:
        return 0.0
    if not loop.is_prose:
        return _SIGN_COPY * max(0.0, loop.copies - max(_SIGN_COPIES, requested))
    allowed = _WORD_COPIES if loop.words == 1 else _PHRASE_COPIES
    return _COPY * max(0.0, loop.copies - max(allowed, requested))


def _signs(text: str) -> float:
    """The penalty of an answer in signs alone, where those are asked for."""
    longest = max(sum(1 for _ in same) for _, same in groupby(text))
    return max(EMPTY, _SIGN_COPY * max(0, longest - _LONGEST_RUN_OF_SIGNS))


def _trigrams(text: str, tokens: Sequence[Token]) -> float:
    words = list(_prose(text, tokens))
    count = len(words) - 2
    if count < _MIN_TRIGRAMS:
        return 0.0
    distinct = len(set(zip(words, words[1:], words[2:], strict=False))) / count
    return -3.0 * _shortfall(distinct, _MIN_DISTINCT)


def _prose(text: str, tokens: Sequence[Token]) -> Iterator[str]:
    """Words that stand in a row with nothing but spaces between them, as they do in no table, data or formula."""
    row: list[str] = []
    end = 0
    for token in tokens:
        if not token.is_word or text[end : token.start].strip(" \t") or "\n" in text[end : token.start]:
            yield from row if len(row) >= _MIN_WORDS else ()
            row = []
        if token.is_word:
            row.append(token.text)
        end = token.end
    yield from row if len(row) >= _MIN_WORDS else ()


def _content(tokens: Sequence[Token]) -> float:
    """The penalty for few letters among symbols; a run of one symbol, such as a rule under a heading, counts once."""
    symbols = sum(token.is_symbol for token in tokens)
    if symbols < _MIN_SYMBOLS:
        return 0.0
    letters = sum(len(token.text) for token in tokens if not token.is_symbol)
    return -2.0 * _shortfall(letters / (letters + symbols), _MIN_CONTENT)


def _shortfall(value: float, least: float) -> float:
    return max(0.0, (least - value) / least)
