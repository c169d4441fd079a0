"""What kinds of lines there are, and which is of which."""

from enum import Enum


class Kind(Enum):
    """What a line does to an answer. Lines are drawn by kind first, so that no kind prevails by its number of lines."""

    EXTEND = "extend"
    REASON = "reason"
    SHORTEN = "shorten"
    FOCUS = "focus"
    STRUCTURE = "structure"
    CHECK = "check"
    EXAMPLE = "example"
    READER = "reader"
    FORM = "form"
    WISH = "wish"


NAMES: dict[Kind, tuple[str, ...]] = {
    Kind.EXTEND: (
        "think_why",
        "ask_short_then_detail",
        "explore",
        "ask_paragraphs",
        "think_carefully",
        "ask_develop",
        "ask_full",
        "ask_context",
    ),
    Kind.REASON: ("ask_steps", "ask_reasons", "work_through"),
    Kind.SHORTEN: ("shorten", "shorten_focused"),
    Kind.FOCUS: ("answer_first",),
    Kind.STRUCTURE: ("structure",),
    Kind.CHECK: ("check",),
    Kind.EXAMPLE: ("example", "example_case"),
    Kind.READER: ("reader",),
    Kind.FORM: ("as_asked", "check_first", "nothing_else", "keep_form"),
    Kind.WISH: (
        "wishes",
        "wishes_strict",
        "wishes_reminded",
        "wishes_listed",
        "wishes_check",
        "wishes_stressed",
    ),
}
"""The names of the lines of each kind, in every language that has them; those of FORM are neutral lines, those of WISH
tell what a reward profile wishes."""

KIND_OF = {name: kind for kind, names in NAMES.items() for name in names}
