"""Reads what an endpoint says is wrong, in whatever shape it says so.

Its own words are searched and never passed on: they may repeat the prompt or the key.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

About = Literal["", "context", "quota", "model", "chat"]

_IDENTIFIER = re.compile(r"[A-Za-z_][\w.]{0,63}")
_MOST_CHARACTERS = 4_000
# The first pattern that is found counts. The words are those of OpenAI, vLLM, SGLang, TGI, llama.cpp, Ollama, LiteLLM
# and Mistral.
_ABOUT: tuple[tuple[About, re.Pattern[str]], ...] = (
    (
        "quota",
        re.compile(
            r"insufficient[_ ](quota|balance|funds|credits?)|billing_(hard_limit|not_active)|not enough credits|"
            r"credit balance is too low"
        ),
    ),
    ("chat", re.compile(r"\bchat model\b|not a completions? model|chat[ /]completions? (endpoint|api|only)")),
    (
        "context",
        re.compile(
            r"context[_ -]?(length|size|window)|maximum context|\bn_ctx\b|too many tokens|(prompt|input) is too long|"
            r"longer than the model's context|`?inputs`? (tokens|must have)|maximum (input|sequence|model) length|"
            r"max_model_len|reduce the length of"
        ),
    ),
    (
        "model",
        re.compile(
            r"model_not_found|\bmodel\b.{0,120}?(not found|not exist|not available)|(unknown|no such|invalid) model\b",
            re.DOTALL,
        ),
    ),
)


@dataclass(frozen=True)
class Complaint:
    """An error as an endpoint describes it.

    `names` are the kinds of error and the fields that it names, `about` is what its words speak of, `status` the HTTP
    status that stands in the body.
    """

    names: tuple[str, ...] = ()
    about: About = ""
    status: int | None = None


NO_COMPLAINT = Complaint()


def read_complaint(body_bytes: bytes) -> Complaint | None:
    """What the body of a response, JSON or not, says is wrong; None where it speaks of no error."""
    try:
        body = json.loads(body_bytes)
    except (ValueError, RecursionError):
        return None
    if not isinstance(body, dict):
        return None
    error = next((body[name] for name in ("error", "detail", "errors") if body.get(name)), None)
    if error is None and not ("message" in body and body.keys() & {"code", "type", "object", "status"}):
        return None
    parts = [body, *_parts(error)]
    names = [name for part in parts for name in _names(part)]
    said = " ".join([*names, *(text for part in parts for text in _texts(part))])[:_MOST_CHARACTERS].lower()
    about: About = next((about for about, pattern in _ABOUT if pattern.search(said)), "")
    return Complaint(tuple(dict.fromkeys(names)), about, next(filter(None, map(_status, parts)), None))


def _parts(error: Any) -> Iterator[dict[str, Any]]:
    for part in error if isinstance(error, list) else [error]:
        if isinstance(part, dict):
            yield part
        elif isinstance(part, str):
            yield {"message": part}


def _names(part: dict[str, Any]) -> Iterator[str]:
    where = part.get("loc")
    found = [part.get(name) for name in ("type", "error_type", "code", "param")]
    for name in (*found, where[-1] if isinstance(where, list) and where else None):
        if isinstance(name, str) and _IDENTIFIER.fullmatch(name):
            yield name


def _texts(part: dict[str, Any]) -> Iterator[str]:
    yield from (part[name] for name in ("message", "msg", "error", "detail") if isinstance(part.get(name), str))


def _status(part: dict[str, Any]) -> int | None:
    for name in ("code", "status"):
        value = part.get(name)
        if isinstance(value, str) and value.isdecimal() and len(value) == 3:
            value = int(value)
        if isinstance(value, int) and 400 <= value < 600:
            return value
    return None
