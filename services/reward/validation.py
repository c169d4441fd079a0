"""Checks a call: its candidates, and the limits that they and the conversation must keep."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from shared.errors import InvalidRequest
from shared.records.evolution import Message
from shared.records.limits import (
    MAX_ANSWER_CHARACTERS,
    MAX_MESSAGES,
    MAX_NAME_CHARACTERS,
    MAX_PROMPT_CHARACTERS,
    MAX_SEQUENCES,
)
from shared.records.profiles import MAX_CONTENT

_ROLES = ("system", "user", "assistant")


@dataclass(frozen=True)
class ResponseCandidate:
    """A response to score, under an id of the caller's; a `partial` one may go on. `self_certainty` is how certain the
    language model was of it, None where the caller does not know."""

    id: str
    text: str
    partial: bool = False
    self_certainty: float | None = None


@dataclass(frozen=True)
class ScoringLimits:
    """How much one call may hold."""

    candidates: int = MAX_SEQUENCES
    messages: int = MAX_MESSAGES
    text_characters: int = MAX_ANSWER_CHARACTERS
    conversation_characters: int = MAX_PROMPT_CHARACTERS


def check(messages: Sequence[Message], candidates: Sequence[ResponseCandidate], limits: ScoringLimits) -> None:
    """Raises InvalidRequest, naming the field, unless the call is well formed and within the limits."""
    _check_messages(messages, limits)
    _check_candidates(candidates, limits)


def check_names(profile: str, cache_salt: str) -> None:
    """Raises InvalidRequest where one of them is too long."""
    for field, name in (("profile", profile), ("cache_salt", cache_salt)):
        if len(name) > MAX_NAME_CHARACTERS:
            raise InvalidRequest(f"{field} has at most {MAX_NAME_CHARACTERS} characters", field=field)


def check_content(content: str) -> None:
    """Raises InvalidRequest where a profile's YAML is missing or too long."""
    if not 0 < len(content) <= MAX_CONTENT:
        raise InvalidRequest(f"content must have 1 to {MAX_CONTENT} characters", field="content")


def _check_messages(messages: Sequence[Message], limits: ScoringLimits) -> None:
    if not messages:
        raise InvalidRequest("a conversation needs at least one message", field="messages")
    if len(messages) > limits.messages:
        raise InvalidRequest(f"at most {limits.messages} messages, not {len(messages)}", field="messages")
    for index, message in enumerate(messages):
        if message.role not in _ROLES:
            allowed = ", ".join(_ROLES)
            raise InvalidRequest(
                f"role must be one of {allowed}, not {message.role[:64]!r}", field=f"messages[{index}].role"
            )
    if messages[-1].role != "user":
        raise InvalidRequest("the last message must be the user's", field=f"messages[{len(messages) - 1}].role")
    length = sum(len(message.content) for message in messages)
    if length > limits.conversation_characters:
        most = limits.conversation_characters
        raise InvalidRequest(f"a conversation has at most {most} characters, not {length}", field="messages")


def _check_candidates(candidates: Sequence[ResponseCandidate], limits: ScoringLimits) -> None:
    if not candidates:
        raise InvalidRequest("nothing to score: send at least one candidate", field="candidates")
    if len(candidates) > limits.candidates:
        most = limits.candidates
        raise InvalidRequest(f"at most {most} candidates a call, not {len(candidates)}", field="candidates")
    seen: set[str] = set()
    for index, candidate in enumerate(candidates):
        if not 0 < len(candidate.id) <= MAX_NAME_CHARACTERS:
            reason = f"a candidate needs an id of 1 to {MAX_NAME_CHARACTERS} characters"
            raise InvalidRequest(reason, field=f"candidates[{index}].id")
        if candidate.id in seen:
            raise InvalidRequest(f"the id {candidate.id!r} stands twice", field=f"candidates[{index}].id")
        seen.add(candidate.id)
        certainty = candidate.self_certainty
        if certainty is not None and not 0 <= certainty < math.inf:
            where = f"candidates[{index}].self_certainty"
            raise InvalidRequest(f"self_certainty must be 0 or more, and finite, not {certainty:g}", field=where)
        if len(candidate.text) > limits.text_characters:
            most, where = limits.text_characters, f"candidates[{index}].text"
            raise InvalidRequest(f"a response has at most {most} characters, not {len(candidate.text)}", field=where)
