"""Questions and preferences in the shapes in which other tools write them. Pure: rows are values of JSON.

docs/files.md lists the shapes. A column that is null counts as absent, as tables write what a row has not.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from shared.records.evolution import Message, Role

Columns = Mapping[str, Any]

_ROLES: Mapping[Any, Role] = {
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("user", "human"), "user"),
    **dict.fromkeys(("assistant", "gpt", "chatgpt", "bing", "bard", "model"), "assistant"),
}
_SPEAKER = re.compile(r"\n\n(Human|Assistant):")
_SCORES = ("fine-grained_score", "overall_score")
_LISTED = 12


class UnknownShape(ValueError):
    """A row is in none of the shapes that are known; the message says which column is wrong, or which there are."""


@dataclass(frozen=True)
class Asked:
    """User turns to be answered one after another, and the conversation before the first of them."""

    turns: tuple[str, ...]
    context: tuple[Message, ...] = ()


@dataclass(frozen=True)
class Preference:
    """Two responses to one conversation, whose last message is the user's."""

    prompt: tuple[Message, ...]
    chosen: str
    rejected: str


def asked(row: Any) -> Asked:
    """What a row asks. An answer that it holds besides, at the end of a conversation or in a column, is left out.

    Raises:
        UnknownShape: the row asks nothing in a way that is known.
    """
    columns = _columns(row)
    if "turns" in columns:
        turns = columns["turns"]
        if not isinstance(turns, list) or not turns:
            raise UnknownShape("turns: must be a list of texts")
        return Asked(tuple(_text(turn, "turns") for turn in turns), _with_system(columns, ()))
    prompt = _prompt(columns)
    if prompt is None and {"chosen", "rejected"} <= columns.keys():
        prompt = preference(columns).prompt
    if prompt is None:
        raise UnknownShape(f"needs turns, instruction, question, prompt, messages or conversations{_seen(columns)}")
    if prompt[-1].role != "user":
        raise UnknownShape("the last message must be the user's")
    return Asked((prompt[-1].content,), prompt[:-1])


def preference(row: Any) -> Preference:
    """The pair of a row: its `chosen` and `rejected`, or the best and the worst of UltraFeedback's `completions`.

    Raises:
        UnknownShape: the row holds no pair in a way that is known, or contradicts itself.
    """
    columns = _columns(row)
    chosen: str | tuple[Message, ...]
    rejected: str | tuple[Message, ...]
    if "completions" in columns:
        chosen, rejected = _best_and_worst(columns["completions"])
    else:
        for name in ("chosen", "rejected"):
            if name not in columns:
                raise UnknownShape(f"{name}: is missing{_seen(columns)}")
        chosen, rejected = _response(columns, "chosen"), _response(columns, "rejected")
        _check_scores(columns)
    given = _prompt(columns)
    if isinstance(chosen, str) and isinstance(rejected, str):
        if given is None and "completions" in columns:
            raise UnknownShape(f"instruction: is missing{_seen(columns)}")
        if given is None:
            return _divided(chosen, rejected)
        return Preference(_asking(given), chosen, rejected)
    if isinstance(chosen, str) or isinstance(rejected, str):
        raise UnknownShape("chosen and rejected must have one shape")
    if chosen[:-1] != rejected[:-1]:
        raise UnknownShape("chosen and rejected must be one conversation but for their last message, an answer each")
    before = chosen[:-1]
    if given is not None and not _ends_with(before, given):
        raise UnknownShape("prompt: is not what chosen and rejected begin with")
    return Preference(_asking(before), chosen[-1].content, rejected[-1].content)


def _asking(prompt: tuple[Message, ...]) -> tuple[Message, ...]:
    if not prompt or prompt[-1].role != "user" or not prompt[-1].content.strip():
        raise UnknownShape("prompt: the last message must be the user's and not blank")
    return prompt


def _columns(row: Any) -> Columns:
    if not isinstance(row, Mapping):
        raise UnknownShape("not an object")
    return {name: value for name, value in row.items() if value is not None}


def _seen(columns: Columns) -> str:
    names = [repr(name) for name in columns]
    more = ["…"] if len(names) > _LISTED else []
    return f"; its columns are {', '.join(names[:_LISTED] + more) or 'none'}"


def _prompt(columns: Columns) -> tuple[Message, ...] | None:
    """The conversation to be answered; None where no column gives one."""
    for name in ("instruction", "question"):
        if name in columns:
            user = Message("user", _with_data(_text(columns[name], name), columns))
            return _with_system(columns, (*_history(columns), user))
    if "prompt" in columns:
        messages = _conversation(columns["prompt"], "prompt")
        if messages[-1] == Message("assistant", ""):  # a transcript's, which its response follows
            messages = messages[:-1]
        return _with_system(columns, messages)
    for name in ("messages", "conversations"):
        if name in columns:
            messages = _conversation(columns[name], name)
            answered = messages[-1].role == "assistant" and len(messages) > 1
            return _with_system(columns, messages[:-1] if answered else messages)
    return None


def _with_data(instruction: str, columns: Columns) -> str:
    """Alpaca's `input`, or Dolly's `context`, stands behind the instruction that is about it."""
    data = [_text(columns[name], name) for name in ("input", "context") if name in columns]
    data = [text for text in data if text.strip()]
    if len(data) > 1:
        raise UnknownShape("input and context: keep the one that the instruction is about")
    return "\n\n".join((instruction, *data))


def _history(columns: Columns) -> list[Message]:
    """Alpaca's `history`, a list of [instruction, answer]."""
    found: list[Message] = []
    for turn in columns.get("history", ()):
        if not isinstance(turn, list) or len(turn) != 2:
            raise UnknownShape("history: must be a list of [instruction, answer]")
        found += [Message("user", _text(turn[0], "history")), Message("assistant", _text(turn[1], "history"))]
    return found


def _with_system(columns: Columns, messages: tuple[Message, ...]) -> tuple[Message, ...]:
    names = [name for name in ("system", "system_prompt") if name in columns]
    texts = [text for name in names if (text := _text(columns[name], name)).strip()]
    if not texts or messages[:1] == (Message("system", texts[0]),):
        return messages
    if len(texts) > 1 or (messages and messages[0].role == "system"):
        raise UnknownShape("system: the row has two system texts")
    return Message("system", texts[0]), *messages


def _conversation(value: Any, name: str) -> tuple[Message, ...]:
    if isinstance(value, str):
        text = _text(value, name)
        return _transcript(text) or (Message("user", text),)
    if not isinstance(value, list) or not value:
        raise UnknownShape(f"{name}: must be a text, or messages of {{role, content}} or {{from, value}}")
    return tuple(_message(item, name) for item in value)


def _message(value: Any, name: str) -> Message:
    if not isinstance(value, Mapping):
        raise UnknownShape(f"{name}: a message must be an object of role and content, or of from and value")
    role, content = value.get("role", value.get("from")), value.get("content", value.get("value"))
    if not isinstance(role, str) or role not in _ROLES:
        raise UnknownShape(f"{name}: the role {role!r} is none of system, user (human) and assistant (gpt)")
    if value.get("tool_calls"):
        raise UnknownShape(f"{name}: calls of tools cannot be taken")
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, Mapping) and part.get("type") == "text"]
        if len(texts) != len(content):
            raise UnknownShape(f"{name}: content may hold parts of text only")
        return Message(_ROLES[role], "".join(_text(text, name) for text in texts))
    return Message(_ROLES[role], _text(content, name))


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise UnknownShape(f"{name}: must be a text and is {type(value).__name__}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise UnknownShape(f"{name}: holds half of a character (a lone surrogate): mend or leave out the row") from None
    return value


def _transcript(text: str) -> tuple[Message, ...]:
    """HH-RLHF's text, from its "\\n\\nHuman:" on; empty where it is another text."""
    begin, *parts = _SPEAKER.split(text)
    if begin or not parts or parts[0] != "Human":
        return ()
    return tuple(
        Message("user" if speaker == "Human" else "assistant", said.strip())
        for speaker, said in zip(parts[::2], parts[1::2], strict=True)
    )


def _response(columns: Columns, name: str) -> str | tuple[Message, ...]:
    """The response alone, or a whole conversation that ends with it."""
    value = columns[name]
    if isinstance(value, str):
        messages = _transcript(_text(value, name))
        if not messages:
            return value
    else:
        messages = _conversation([value] if isinstance(value, Mapping) else value, name)
    if messages[-1].role != "assistant":
        raise UnknownShape(f"{name}: the last message must be the assistant's")
    return messages[0].content if len(messages) == 1 else messages


def _ends_with(messages: Sequence[Message], prompt: Sequence[Message]) -> bool:
    """Whether `prompt` is the end of `messages`, but for blanks around its texts."""
    told = [(message.role, message.content.strip()) for message in messages[-len(prompt) :]]
    return told == [(message.role, message.content.strip()) for message in prompt]


def _divided(chosen: str, rejected: str) -> Preference:
    """Texts that share their beginning, the prompt, which ends with its last whole word."""
    pairs = enumerate(zip(chosen, rejected, strict=False))
    shared = chosen[: next((place for place, (a, b) in pairs if a != b), min(len(chosen), len(rejected)))]
    words = shared.split()
    if words and not shared[-1].isspace():
        shared = shared[: -len(words[-1])]
    prompt = shared.rstrip()
    if not prompt:
        raise UnknownShape("chosen and rejected do not begin alike: give what they answer as prompt")
    return Preference((Message("user", prompt),), chosen[len(prompt) :], rejected[len(prompt) :])


def _best_and_worst(completions: Any) -> tuple[str, str]:
    """The first of the best completions and the first of the worst, by a score that all of them have."""
    if not isinstance(completions, list) or not all(isinstance(each, Mapping) for each in completions):
        raise UnknownShape("completions: must be a list of objects")
    texts = [_text(each.get("response"), "completions") for each in completions]
    for name in _SCORES:
        scores = [each.get(name) for each in completions]
        if len(texts) > 1 and all(_is_number(score) for score in scores):
            if max(scores) == min(scores):
                raise UnknownShape(f"completions: all have one {name}")
            return texts[scores.index(max(scores))], texts[scores.index(min(scores))]
    raise UnknownShape(f"completions: need two or more, each with {' or each with '.join(_SCORES)}")


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _check_scores(columns: Columns) -> None:
    chosen, rejected = columns.get("score_chosen"), columns.get("score_rejected")
    if _is_number(chosen) and _is_number(rejected) and chosen < rejected:
        raise UnknownShape("score_chosen: is less than score_rejected")
