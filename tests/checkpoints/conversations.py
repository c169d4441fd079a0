"""Kinds of conversation, and what users spell in them."""

from collections.abc import Sequence
from dataclasses import replace

from shared.records.evolution import Message

_SYSTEM = Message("system", "You are a careful assistant. Answer briefly.")
_ASKED = Message("user", "What is the capital of France?")
_TOLD = Message("assistant", "It is Paris.")
_AGAIN = Message("user", "And of Greece?")
_THOUGHT = Message("assistant", "<think>\nFrance, so Paris.\n</think>\n\nIt is Paris.")
_UNICODE = "Καλημέρα 👩‍👩‍👧 naïve ﷽ é \u200f日本語\u00a0\ufeff"
_PRIVATE = "\U000f0d0d0\U000f0d0d \ue000\uf8ff\U0010fffd"

# Every one begins with a user's turn, alternates, and ends with a user's turn; the first may be the system's.
PLAIN: dict[str, tuple[Message, ...]] = {
    "user": (_ASKED,),
    "system": (_SYSTEM, _ASKED),
    "turns": (_ASKED, _TOLD, _AGAIN),
    "system and turns": (_SYSTEM, _ASKED, _TOLD, _AGAIN),
    "long": (_SYSTEM, *(replace(m, content=(m.content + " ") * 60) for m in (_ASKED, _TOLD)), _AGAIN),
    "empty user": (Message("user", ""),),
    "empty": (Message("system", ""), Message("user", ""), Message("assistant", ""), _AGAIN),
    "whitespace": (Message("system", " \n"), Message("user", "\n\n  spaced \t out \n"), _TOLD, Message("user", "  \n")),
    "unicode": (Message("system", _UNICODE), Message("user", _UNICODE), Message("assistant", _UNICODE), _AGAIN),
    "private use": (Message("system", _PRIVATE), Message("user", _PRIVATE), Message("assistant", _PRIVATE), _AGAIN),
    "markup": (Message("user", "Is <b>bold</b> <i>{{ italic }}</i> {% if %} right?"), _TOLD, _AGAIN),
}
THINKING = (_ASKED, _THOUGHT, _AGAIN)
# Orders that a template may refuse, and that callers send.
UNUSUAL: dict[str, tuple[Message, ...]] = {
    "two users": (_ASKED, _AGAIN),
    "assistant first": (_TOLD, _ASKED),
    "system twice": (_SYSTEM, _ASKED, _SYSTEM, _AGAIN),
    "system last": (_ASKED, _TOLD, _AGAIN, _SYSTEM),
    "system alone": (_SYSTEM,),
    "assistant last": (_ASKED, _TOLD),
    "two assistants": (_ASKED, _TOLD, _TOLD, _AGAIN),
}


def harmless(token: str) -> str:
    """A text of a control token's shape that is none."""
    return f"{token[:-1]}~{token[-1]}"


def spelling(tokens: Sequence[str], roles: Sequence[str]) -> tuple[Message, ...]:
    """A conversation in which the messages of `roles` spell `tokens`, between words, beside each other and in words."""
    spelled = f" see {' then '.join(tokens)} and {''.join(tokens)} or x{tokens[0]}y: what do they mean?"
    turns = (_SYSTEM, _ASKED, _TOLD, _AGAIN)
    return tuple(replace(m, content=m.content + spelled) if m.role in roles else m for m in turns)
