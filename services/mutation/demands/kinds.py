"""What a conversation may demand of the form of an answer, and what a line behind a request may impose."""

from enum import Enum


class Aspect(Enum):
    """What a line behind a request asks of the answer beside what the request asks."""

    LENGTH = "length"
    PROSE = "prose"
    REASONS = "reasons"
    STEPS = "steps"
    TONE = "tone"
    BREVITY = "brevity"
    FOCUS = "focus"
    ORDER = "order"
    CARE = "care"
    EXAMPLES = "examples"


class Demand(Enum):
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
    DETAIL = "detail"


_PARTLY: dict[Demand, frozenset[Aspect]] = {
    Demand.ENUMERATION: frozenset({Aspect.PROSE, Aspect.ORDER}),
    Demand.PARAGRAPH: frozenset({Aspect.PROSE, Aspect.ORDER}),
    Demand.TONE: frozenset({Aspect.TONE}),
    Demand.DETAIL: frozenset({Aspect.BREVITY}),
}
FORBIDS: dict[Demand, frozenset[Aspect]] = {kind: _PARTLY.get(kind, frozenset(Aspect)) for kind in Demand}
"""What each demand rules out: most of them everything that would give an answer another length, or make it another kind
of text. A demand for detail, or for a text that takes its room, rules out brevity alone."""

_CONTRARY = (
    (Aspect.BREVITY, Aspect.LENGTH),
    (Aspect.BREVITY, Aspect.PROSE),
    (Aspect.ORDER, Aspect.PROSE),
)


def contradict(one: frozenset[Aspect], other: frozenset[Aspect]) -> bool:
    """Whether no answer can have all that one line imposes and all that another does."""
    return any((a in one and b in other) or (b in one and a in other) for a, b in _CONTRARY)


ON_A_TEXT = frozenset(
    {
        Demand.TRANSLATION,
        Demand.FIELDS,
        Demand.EDIT,
        Demand.SUMMARY,
        Demand.COMPLETION,
        Demand.EXAMPLES,
        Demand.TASK,
    }
)
"""Demands to do something with a text that the user gives: a line behind that text would be taken as part of it."""

OF_A_SYSTEM = ON_A_TEXT | {Demand.LABEL, Demand.TITLE, Demand.ONLY, Demand.FORMAT, Demand.LIST}
"""Demands that, made by a system prompt, say that the user's turns are such texts."""
