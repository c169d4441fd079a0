"""Reads what a conversation demands of the form, length, language and tone of the answer. Pure.

It uses word lists in thirteen languages, and shapes that mean the same in all of them. In doubt it sees a demand: one
seen in vain costs a line that might have helped, while one overlooked would be overridden by such a line.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from services.mutation.demands.chinese import CHINESE
from services.mutation.demands.detail import DETAIL
from services.mutation.demands.dutch import DUTCH
from services.mutation.demands.english import ENGLISH
from services.mutation.demands.french import FRENCH
from services.mutation.demands.german import GERMAN
from services.mutation.demands.italian import ITALIAN
from services.mutation.demands.japanese import JAPANESE
from services.mutation.demands.kinds import FORBIDS, OF_A_SYSTEM, ON_A_TEXT, Aspect, Demand
from services.mutation.demands.korean import KOREAN
from services.mutation.demands.naming import named
from services.mutation.demands.polish import POLISH
from services.mutation.demands.portuguese import PORTUGUESE
from services.mutation.demands.russian import RUSSIAN
from services.mutation.demands.spanish import SPANISH
from services.mutation.demands.turkish import TURKISH
from services.mutation.demands.words import Words
from shared.records.evolution import Message
from shared.text.folding import folded, length_in_words
from shared.text.languages import ends_of, language_of, may_be_english

LANGUAGES: dict[str, Words] = {
    "en": ENGLISH,
    "de": GERMAN,
    "fr": FRENCH,
    "es": SPANISH,
    "it": ITALIAN,
    "pt": PORTUGUESE,
    "nl": DUTCH,
    "pl": POLISH,
    "ru": RUSSIAN,
    "tr": TURKISH,
    "zh": CHINESE,
    "ja": JAPANESE,
    "ko": KOREAN,
}
_PATTERNS = {
    name: {kind: re.compile(pattern) for kind, pattern in words.patterns.items()} for name, words in LANGUAGES.items()
}
_TASK = {name: re.compile(words.task) for name, words in LANGUAGES.items()}
_ALWAYS = {name: re.compile(words.always) for name, words in LANGUAGES.items()}
_FOLLOWS = {name: re.compile(r"\W*" + words.follows) for name, words in LANGUAGES.items()}
_OPENS = {name: re.compile(words.opens) for name, words in LANGUAGES.items()}
# The same in every language: an object to be filled in, a gap, a label or an arrow at the end to be gone on with.
_SHAPES = {
    Demand.FORMAT: re.compile(r"[{\[]\s*\"[\w -]+\"\s*:|<[a-z_]+>\s*:?\s*</?[a-z_]+>"),
    Demand.DETAIL: DETAIL,
    Demand.COMPLETION: re.compile(r"_{3,}|(?:^|\n)[ \t]*[^\n:：]{1,24}[:：][ \t]*$|(?:=>|->|→)[ \t]*$"),
}
# "How do I write a good title?" asks about titles, and for none.
_ASKED_ABOUT = re.compile(
    r"(?:^|(?<=[.!?\n]))\s*how (?:to|(?:do|can|should|could|would|did) (?:i|we|people|one|they)"
    r"|(?:does|do|is|are) (?:an?|the)) [^.!?\n]*"
)
_TOPICS = frozenset(
    {
        Demand.TRANSLATION,
        Demand.LABEL,
        Demand.FIELDS,
        Demand.EDIT,
        Demand.SUMMARY,
        Demand.TITLE,
        Demand.VERSE,
        Demand.LIST,
    }
)
_LONE_LANGUAGE = 4
# Earlier answers of so few words set an example; a turn of so few goes on with the one before.
_SHORT_ANSWER, _SHORT_TURN, _EXAMPLES = 8, 4, 2


@dataclass(frozen=True)
class Demands:
    """What a conversation demands: `kinds` of its last turn and of all that holds for it still.

    `language` is that of the last turn: English where it is not sure and may be, None where it is not clear at all.
    `on_text`: the turn is, or holds, a text that something is to be done to, and a line behind it would become part of
    that text. `unread`: a system prompt is in a language that is not clear, or has no word lists.
    """

    kinds: frozenset[Demand]
    language: str | None
    on_text: bool
    unread: bool

    @property
    def line_language(self) -> str | None:
        """The language of lines that may be put behind the turn; None where there may be none at all."""
        return None if self.on_text or self.unread or Demand.LANGUAGE in self.kinds else self.language

    @property
    def strict(self) -> bool:
        """Whether the answer shall have a short or fixed form."""
        return _strict(self.kinds)

    @property
    def forbids(self) -> frozenset[Aspect]:
        """What a line behind the turn must not impose."""
        return frozenset(aspect for kind in self.kinds for aspect in FORBIDS[kind])


def read(messages: Sequence[Message]) -> Demands:
    """The demands of a conversation that ends with a user's turn."""
    *before, last = messages
    systems = [message.content for message in before if message.role == "system"]
    language = language_of(last.content) or ("en" if may_be_english(last.content) else None)
    own = kinds_of(last.content)
    system = frozenset(kind for text in systems for kind in _system_kinds(text))
    earlier = _earlier(before, last.content)
    kinds = own | system | earlier
    demanded = frozenset(code for text in (*systems, last.content, *_lasting(before)) for code in named(_read(text)))
    if demanded - {language}:
        kinds |= {Demand.LANGUAGE}
    unread = any(language_of(text) not in LANGUAGES and len(text.split()) > _LONE_LANGUAGE for text in systems)
    on_text = bool((own | earlier) & ON_A_TEXT or system & OF_A_SYSTEM) or (_strict(own) and _holds_text(last.content))
    return Demands(kinds, language, on_text, unread)


def kinds_of(text: str) -> frozenset[Demand]:
    """The demands of one turn, by itself."""
    plain = _read(text)
    names = _names(text)
    demanded = _ASKED_ABOUT.sub(" ", plain)
    found = {
        kind
        for name in names
        for kind, pattern in _PATTERNS[name].items()
        if pattern.search(demanded if kind in _TOPICS else plain)
    }
    found |= {kind for kind, shape in _SHAPES.items() if shape.search(plain)}
    if Demand.LIST in found and any(_OPENS[name].search(plain) for name in names):
        found = found - {Demand.LIST} | {Demand.ENUMERATION}
    return frozenset(found)


def languages_named(text: str) -> frozenset[str]:
    """The languages that one turn demands the answer in."""
    return named(_read(text))


def _read(text: str) -> str:
    return folded(ends_of(text)).strip()


def _names(text: str) -> Iterable[str]:
    """The languages to read a text in: its own and English, or all of them where it cannot be told."""
    language = language_of(text)
    return dict.fromkeys((language, "en")) if language in LANGUAGES else LANGUAGES


def _system_kinds(text: str) -> frozenset[Demand]:
    plain = _read(text)
    task = any(_TASK[name].search(plain) for name in _names(text))
    return kinds_of(text) | ({Demand.TASK} if task else frozenset())


def _lasting(before: Sequence[Message]) -> list[str]:
    """Earlier turns of the user's which say that their demands hold on."""
    turns = [message.content for message in before if message.role == "user"]
    return [text for text in turns if any(_ALWAYS[name].search(_read(text)) for name in _names(text))]


def _earlier(before: Sequence[Message], last: str) -> frozenset[Demand]:
    """Demands of earlier turns that hold for the last one, and the example that short answers have set."""
    holding, turn = _lasting(before), last
    for message in reversed([message for message in before if message.role == "user"]):
        if not _goes_on(turn):
            break
        turn = message.content
        holding.append(turn)
    kinds = frozenset(kind for text in holding for kind in kinds_of(text))
    answers = [message.content for message in before if message.role == "assistant"][-_EXAMPLES:]
    if len(answers) == _EXAMPLES and all(length_in_words(text) <= _SHORT_ANSWER for text in answers):
        kinds |= {Demand.EXAMPLES}
    return kinds


def _goes_on(turn: str) -> bool:
    plain = _read(turn)
    return length_in_words(plain) <= _SHORT_TURN or any(_FOLLOWS[name].match(plain) for name in _names(turn))


def _strict(kinds: frozenset[Demand]) -> bool:
    return any(Aspect.REASONS in FORBIDS[kind] for kind in kinds)


def _holds_text(turn: str) -> bool:
    """Whether a turn seems to hold a text beside its demand: more than one line, or something after a colon."""
    return "\n" in turn.strip() or re.search(r"[:：]\s*\S.{12,}", turn) is not None
