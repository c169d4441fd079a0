"""What a conversation may demand of the form of an answer, and what a line behind a request may impose."""

from enum import Enum


class Aspect(Enum):
    """What a line behind a request asks of the answer beside what the request asks."""

    LENGTH = "length"
    PROSE = "prose"
    REASONS = "reasons"
    STEPS = "steps"
    TONE = "tone"


class Kind(Enum):
    """A demand on the form, length, language or tone of the answer."""

    TRANSLATION = "translation"
    LABEL = "label"
    FIELDS = "fields"
    EDIT = "edit"
    SUMMARY = "summary"
    COMPLETION = "completion"
    EXAMPLES = "examples"
    TASK = "task"
    ONLY = "only"
    FORMAT = "format"
    COUNT = "count"
    BRIEF = "brief"
    TITLE = "title"
    VERSE = "verse"
    LIST = "list"
    ENUMERATION = "enumeration"
    PARAGRAPH = "paragraph"
    TONE = "tone"
    LANGUAGE = "language"


_FORM = frozenset({Aspect.LENGTH, Aspect.PROSE, Aspect.REASONS, Aspect.STEPS})
_PARTLY: dict[Kind, frozenset[Aspect]] = {
    Kind.ENUMERATION: frozenset({Aspect.PROSE}),
    Kind.PARAGRAPH: frozenset({Aspect.PROSE}),
    Kind.TONE: frozenset({Aspect.TONE}),
}
FORBIDS: dict[Kind, frozenset[Aspect]] = {kind: _PARTLY.get(kind, _FORM | {Aspect.TONE}) for kind in Kind}
"""What each demand rules out: most of them everything that would make an answer longer or another kind of text."""

ON_A_TEXT = frozenset(
    {Kind.TRANSLATION, Kind.FIELDS, Kind.EDIT, Kind.SUMMARY, Kind.COMPLETION, Kind.EXAMPLES, Kind.TASK}
)
"""Demands to do something with a text that the user gives: a line behind that text would be taken as part of it."""

OF_A_SYSTEM = ON_A_TEXT | {Kind.LABEL, Kind.TITLE, Kind.ONLY, Kind.FORMAT, Kind.LIST}
"""Demands that, made by a system prompt, say that the user's turns are such texts."""
