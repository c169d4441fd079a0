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


NAMES: dict[Kind, tuple[str, ...]] = {
    Kind.EXTEND: (
        "think_why",
        "ask_short_then_detail",
        "explore",
        "ask_paragraphs",
        "think_carefully",
        "ask_long",
        "ask_depth",
        "ask_develop",
        "ask_full",
        "ask_insight",
        "ask_context",
    ),
    Kind.REASON: ("ask_connections", "ask_steps", "ask_reasons", "work_through"),
    Kind.SHORTEN: ("shorten", "shorten_core"),
    Kind.FOCUS: ("answer_first", "stay_focused"),
    Kind.STRUCTURE: ("structure", "headings"),
    Kind.CHECK: ("check", "check_certainty"),
    Kind.EXAMPLE: ("example", "example_case"),
    Kind.READER: ("reader", "reader_needs"),
    Kind.FORM: ("as_asked", "check_first", "nothing_else", "keep_form"),
}
"""The names of the lines of each kind, in every language that has them; those of FORM are neutral lines."""

KIND_OF = {name: kind for kind, names in NAMES.items() for name in names}
