"""Checks that a rewrite passes before it may replace an instruction. Pure; `fidelity` measures the meaning.

They are strict on purpose. A rewrite that answers the task, or loses one of its numbers, names or demands, makes
every response decoded under it worse, while turning down a good rewrite costs only a template in its place.
"""

import re
from collections import Counter
from collections.abc import Iterable

from services.mutation.messages import Reason
from services.mutation.word_lists import DANGLING, IMPERATIVES, LEADS, NUMBER_WORDS, QUESTIONS, RESTRICTIONS, STOPWORDS
from shared.text.languages import language_of

MIN_CHARS = 8
# A rewrite is SHORTEST to LONGEST times as long as the rewritten text; SLACK_CHARS more are always allowed.
SHORTEST, LONGEST, SLACK_CHARS = 0.35, 2.0, 80
# A rewrite must keep this part of the content words of each of the original's sentences.
KEPT_WORDS = 0.6
_STEM = 5
# Where every noun has a capital, a capital tells no name.
_NOUNS_HAVE_CAPITALS = "de"

_WORD = re.compile(r"\w+(?:['’-]\w+)*")
_DENSE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
_NUMBER = re.compile(r"(?:(?<![\w)])-)?\d+(?:[.,]\d+)*")
_SENTENCE = re.compile(r"(?<=[.!?])[\"'”’)]*\s+|\n+|(?<=:)\s+")
_CLAUSE = re.compile(r"[,;:]\s+")
_QUOTED = re.compile(r"\"([^\"\n]+)\"|“([^“”\n]+)”")
_SYMBOLIC = re.compile(r"(?<!\S)\S*[=^<>+*|\\_]\S*|(?<!\w)\w+\([^)\s]{0,200}\)")
_USING = re.compile(r"\b(?:use|uses|using)\b", re.IGNORECASE)


def normalised(text: str) -> str:
    """The words of a text, case-folded and joined by single spaces: equal for texts equal up to case, spacing and
    punctuation."""
    words = _WORD.findall(text.casefold().replace("’", "'"))
    return " ".join(words) if words else " ".join(text.casefold().split())


def form(text: str, core: str, examples: Iterable[str], taken: set[str]) -> Reason | None:
    """Why a rewrite of `core` cannot be used as it stands, or None.

    `taken` holds the normalised texts that must not come again; `examples` are those of the prompt.
    """
    if not normalised(text):
        return Reason.EMPTY
    if normalised(text) in {normalised(example) for example in examples} - {normalised(core)}:
        return Reason.PROMPT_EXAMPLE
    if normalised(text) in taken:
        return Reason.DUPLICATE
    if len(text) < max(MIN_CHARS, SHORTEST * len(core)):
        return Reason.TOO_SHORT
    if len(text) > LONGEST * len(core) + SLACK_CHARS:
        return Reason.TOO_LONG
    return None


def content(text: str, original: str) -> Reason | None:
    """Why a rewrite does not ask for what the original asks for, by its words alone, or None."""
    if _answers(text, original) or _rambles(text, original):
        return Reason.MALFORMED
    if numbers(text) != numbers(original) or _restrictions(text) != _restrictions(original):
        return Reason.MEANING_LOST
    if not (_keeps_verbatim(text, original) and _bindings(original) <= _bindings(text, reach=3)):
        return Reason.MEANING_LOST
    if language_of(original) != _NOUNS_HAVE_CAPITALS and not (
        names(original) <= _folded(text) and names(text) <= _folded(original)
    ):
        return Reason.MEANING_LOST
    if not (_keeps_every_demand(text, original) and _means(text) <= set(_stems(original))):
        return Reason.MEANING_LOST
    return None


def numbers(text: str) -> set[str]:
    """Every number of a text, written in digits or as a word from two to twenty."""
    words = {NUMBER_WORDS[word] for word in re.split(r"[\W_]+", text.casefold()) if word in NUMBER_WORDS}
    return words | {found.rstrip(".,").replace(",", "") for found in _NUMBER.findall(text)}


def names(text: str) -> set[str]:
    """Case-folded words that are capitalised where no sentence starts."""
    found: set[str] = set()
    for sentence in _sentences(text):
        words = _WORD.findall(sentence)[1:]
        found.update(_base(word) for word in words if word[0].isupper() and word.casefold() not in STOPWORDS)
    return found


def _base(word: str) -> str:
    return re.sub(r"['’]s?$", "", word.casefold())


def _folded(text: str) -> set[str]:
    return {_base(word) for word in _WORD.findall(text)}


def _sentences(text: str) -> list[str]:
    return [sentence for sentence in _SENTENCE.split(text) if _WORD.search(sentence)]


def _is_request(sentence: str) -> bool:
    if "?" in sentence or _opening(sentence) in QUESTIONS:
        return True
    return any(_opening(clause) in IMPERATIVES for clause in _CLAUSE.split(sentence))


def _opening(clause: str) -> str:
    return next((word for word in _WORD.findall(clause.casefold()) if word not in LEADS), "")


def _answers(text: str, original: str) -> bool:
    """Whether the original asks for something, and the text asks for less or states more.

    English only: in other languages no sentence is recognised as a request, and nothing is turned down here.
    """
    if not any(_is_request(sentence) for sentence in _sentences(original)):
        return False
    if "answer is" in normalised(text) and "answer is" not in normalised(original):
        return True
    requests, wanted = ([_is_request(sentence) for sentence in _sentences(each)] for each in (text, original))
    if "?" in original and "?" not in text and not all(requests) and requests.count(True) < wanted.count(True):
        return True
    return not any(requests) or requests.count(False) > wanted.count(False)


def _rambles(text: str, original: str) -> bool:
    """Whether braces are left of the JSON requested, or four words repeat that do not repeat in the original."""
    if any(mark in text and mark not in original for mark in "{}") or _unfinished(text):
        return True
    found, given = runs(text), runs(original)
    return any(count > max(1, given[run]) for run, count in found.items())


def _unfinished(text: str) -> bool:
    return text[-1].isalpha() and text.split()[-1].casefold() in DANGLING


def runs(text: str) -> Counter[tuple[str, ...]]:
    """How often each four words that follow one another do so."""
    words = normalised(text).split()
    return Counter(zip(words, words[1:], words[2:], words[3:], strict=False))


def _restrictions(text: str) -> set[str]:
    return {"not" if word.endswith(("n't", "n’t")) else word for word in _WORD.findall(text.casefold())} & RESTRICTIONS


def _keeps_verbatim(text: str, original: str) -> bool:
    """Whether quotations and whatever holds operators (formulas, code) come back unchanged."""
    quotes = (left or right for left, right in _QUOTED.findall(original))
    if any(normalised(quote) not in normalised(text) for quote in quotes):
        return False
    dense = "".join(text.split())
    return all(symbol.strip(".,;:?!") in dense for symbol in _SYMBOLIC.findall(original))


def _bindings(text: str, reach: int = 1) -> set[tuple[str, str]]:
    """Pairs of each number or formula and a content word at most `reach` words after it, to which it belongs.

    A rewrite with the same numbers in other places ("O(n) space and O(1) time") asks for something else.
    """
    words = text.casefold().split()
    pairs: set[tuple[str, str]] = set()
    for index, word in enumerate(words):
        if word[-1] in ".,;:?!" or not (numbers(word) or _SYMBOLIC.fullmatch(word)):
            continue
        value = NUMBER_WORDS.get(word, word)
        following = [_WORD.match(other) for other in words[index + 1 : index + 1 + reach]]
        pairs.update((value, found[0][:_STEM]) for found in following if found and found[0] not in STOPWORDS)
    return pairs


def _keeps_every_demand(text: str, original: str) -> bool:
    """Whether the text keeps enough words of each sentence of the original, and its last one, where conditions
    stand."""
    kept = set(_stems(text))
    for sentence in _sentences(original):
        stems = _stems(sentence)
        if len(kept.intersection(stems)) < KEPT_WORDS * len(set(stems)) or not kept.issuperset(stems[-1:]):
            return False
    return True


def _stems(text: str) -> list[str]:
    """The first letters of each content word, in order; each character, where no spaces part the words."""
    words = (_base(word) for word in _WORD.findall(_DENSE.sub(r" \g<0> ", text)))
    return [word[:_STEM] for word in words if word not in STOPWORDS]


def _means(text: str) -> set[str]:
    """The first content word after each "use" and "using", which says how a thing is to be done."""
    return {stems[0] for after in _USING.split(text)[1:] if (stems := _stems(after))}
