"""Reads which form an answer must have where a conversation demands one strictly, such as JSON or a label. Pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf

from services.reward.form import phrases
from services.reward.json_values import is_json
from shared.records.evolution import Message
from shared.text.folding import folded, length_in_words

# A translation may have _TRANSLATED times the words of its text, and _MORE more.
_TRANSLATED, _MORE = 2.0, 6
_LABEL_WORDS, _TITLE_WORDS = 6, 16
_ABOUT = 1.5
# So many characters are read at each end of a long text; so many may stand between "only" and what it refers to.
_END, _NEAR = 300, 100
_SENTENCE_END = re.compile(r"[.!?](?=\s+[^\sa-z])|[。！？](?=\s*\S)")
# What may stand between two things of a list that has no marks.
_BETWEEN = re.compile(r"\n\s*(?=\S)|[,;、，；/|]|(?<=\s)(?:&|and|or|und|oder|et|ou|y|e|o|en|of)(?=\s)", re.IGNORECASE)
_MARK = re.compile(r"^(?:([-*•])|\d+[.)])\s", re.MULTILINE)


@dataclass(frozen=True)
class Form:
    """The form that an answer must have.

    It has at most so many `words`, `sentences`, non-empty `lines` and marked `items`. Where it is a list of so many
    `listed` things and nothing else, it is not of fewer. Where `answers` are given, it is one of them, folded; where
    `keys` are, it has a line "key: value" for each, folded. A `translation` comes without a word about it, a `number`
    without a letter, `json` without other text.
    """

    words: float = inf
    sentences: float = inf
    lines: float = inf
    items: float = inf
    answers: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()
    translation: bool = False
    number: bool = False
    json: bool = False
    listed: int = 0

    def holds(self, text: str, *, partial: bool) -> bool:
        """Whether an answer has this form, or a partial one may have it yet."""
        said = text.strip()
        if self.json:
            return is_json(said, partial=partial)
        if self.answers:
            return self._is_answer(said, partial)
        if self.keys:
            return self._has_keys(said, partial)
        if self.number and any(character.isalpha() for character in said):
            return False
        if self.translation and phrases.ABOUT_TRANSLATION.search(folded(said)):
            return False
        return (
            length_in_words(said) <= self.words
            and len(_SENTENCE_END.findall(said)) < self.sentences
            and sum(bool(line.strip()) for line in said.splitlines()) <= self.lines
            and _items_of(said) <= self.items
            and (partial or len(_BETWEEN.findall(said)) + 1 >= self.listed)
        )

    def _is_answer(self, said: str, partial: bool) -> bool:
        bare = folded(said).strip("\"'“”«».!*`。！ ")
        return bare in self.answers or (partial and any(answer.startswith(bare) for answer in self.answers))

    def _has_keys(self, said: str, partial: bool) -> bool:
        lines = [line.strip() for line in folded(said).splitlines() if line.strip()]
        *whole, last = [line.partition(":") for line in lines] or [("", "", "")]
        found = [key for key, _, _ in whole]
        if partial and not last[1]:
            return set(found) <= self.keys and any(key.startswith(last[0]) for key in self.keys)
        found.append(last[0])
        return set(found) <= self.keys and len(found) <= len(self.keys) and (partial or len(found) == len(self.keys))


def _items_of(said: str) -> int:
    """How many items its list has. The first item decides whether they are numbered; indented marks belong to an
    item."""
    bullets = [bool(bullet) for bullet in _MARK.findall(said)]
    return bullets.count(bullets[0]) if bullets else 0


def form_of(messages: Sequence[Message]) -> Form:
    """What the last message of a conversation and its system prompts demand, together."""
    last = messages[-1].content
    said = [message.content for message in messages if message.role == "system"] + [last]
    text = "\n".join(folded(_ends(each)) for each in said)
    if phrases.SEVERAL_TASKS.search(text) or phrases.PROGRAM.search(text):
        return Form()
    demanded = phrases.QUESTION.sub(" ", text)
    if phrases.JSON.search(demanded) or _only(demanded, phrases.ANY_JSON):
        return Form(json=True)
    keys = frozenset(phrases.KEY.findall(text))
    if len(keys) > 1:
        return Form(keys=keys)
    words, sentences, items = _most(text, "words"), _most(text, "sentences"), _most_items(text)
    lines = items if phrases.ONLY.search(demanded) else inf
    listed = 0 if lines == inf else int(lines)
    return _of_one_thing(demanded, last, words) or Form(words, sentences, lines=lines, items=items, listed=listed)


def _ends(text: str) -> str:
    """The beginning and the end of a long text; what stands between is to be worked on, or concerns a part of the
    answer."""
    return text if len(text) <= 2 * _END else f"{text[:_END]}\n{text[-_END:]}"


def _only(text: str, what: re.Pattern[str]) -> bool:
    """Whether the text demands this and nothing else: a word such as "only" stands near it."""
    places = [found.start() for found in phrases.ONLY.finditer(text)]
    return any(abs(found.start() - place) <= _NEAR for found in what.finditer(text) for place in places)


def _of_one_thing(text: str, last: str, words: float) -> Form | None:
    """The form of an answer that is one thing only; `last` is the message that may hold the text to make it of."""
    lines = max(1, sum(bool(line.strip()) for line in last.splitlines()))
    if answers := frozenset(answer for pattern, pair in phrases.YES_NO if _only(text, pattern) for answer in pair):
        return Form(answers=answers)
    if _only(text, phrases.TRANSLATE):
        most = _TRANSLATED * length_in_words(last) + _MORE
        return Form(min(words, most), lines=lines, translation=True)
    if phrases.NUMBER.search(text):
        return Form(number=True)
    if phrases.TITLE.search(text):
        return Form(min(words, _TITLE_WORDS), lines=1)
    if _only(text, phrases.LABEL):
        return Form(min(words, _LABEL_WORDS * lines), lines=lines)
    return None


def _most(text: str, unit: str) -> float:
    """The least of the bounds that a text puts on a unit; infinite without one."""
    return min(_bounds(text, unit), default=inf)


def _bounds(text: str, unit: str) -> Iterator[float]:
    for found in phrases.COUNTED[unit].finditer(text):
        before = text[: found.start()].rstrip(" ")
        sentence = before[-1:] in ("", *".!?\n") and found["after"][:1] in ("", *".!\n")
        by_itself = (
            sentence or phrases.BOUNDED.search(found["after"]) or found[0].strip().startswith(("one-", "single"))
        )
        if phrases.UNBOUNDED.search(found["after"]) or phrases.LEAST.search(text[: found.start("number")]):
            continue
        if found["limit"] or found["about"] or by_itself:
            yield _value(found["number"]) * (_ABOUT if found["about"] else 1)


def _most_items(text: str) -> float:
    if phrases.EACH.search(text):
        return inf
    return min((_value(found["number"]) for found in phrases.ITEMS.finditer(text)), default=inf)


def _value(number: str) -> int:
    return int(number) if number.isdecimal() else phrases.NUMBERS[number]
