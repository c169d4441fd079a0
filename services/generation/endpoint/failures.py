"""What an endpoint's refusals and failures mean, in our errors.

What it, or httpx, says of them is left: it may repeat the prompt or the key.
"""

import re

import httpx
from pydantic import ValidationError

from services.generation.endpoint.answers import Refusal
from shared.errors import DarwinError, DeadlineExceeded, Internal, InvalidRequest, Overloaded, Unavailable

_URL, _KEY, _MODEL = (f"DARWIN_GENERATION_ENDPOINT{part}" for part in ("", "_KEY", "_MODEL"))
_IDENTIFIER = re.compile(r"[A-Za-z_][\w.]{0,63}")

_FAILURES: tuple[tuple[type[httpx.HTTPError], type[DarwinError], str], ...] = (
    (httpx.ConnectTimeout, Unavailable, "the endpoint cannot be reached"),
    (httpx.PoolTimeout, Unavailable, "no connection to the endpoint is free"),
    (httpx.TimeoutException, DeadlineExceeded, "the endpoint did not answer in time"),
    (httpx.UnsupportedProtocol, Internal, f"{_URL} must be http:// or https://"),
    (httpx.LocalProtocolError, Internal, f"{_URL} or {_KEY} cannot be sent by HTTP"),
    (httpx.TransportError, Unavailable, "the endpoint cannot be reached, or broke off"),
    (httpx.HTTPError, Internal, "the endpoint's answer is not HTTP as it should be"),
)
"""The first that fits; no message of httpx is passed on, since some hold headers."""


def error_of_status(status: int, about: str = "") -> DarwinError:
    """What an answer other than 200 means; `about` is what the endpoint finds wrong, in names of fields and kinds."""
    said = f"the endpoint answers HTTP {status}"
    match status:
        case 400 | 413 | 422:
            found = f" ({about})" if about else ""
            return InvalidRequest(f"{said}: it refuses what the call asks for{found}", field="sampling")
        case 401 | 403:
            return Internal(f"{said}: it refuses the key; set {_KEY}")
        case 404:
            return Internal(f"{said}: set {_URL} (it ends with /v1) and {_MODEL} to what it serves")
        case 429:
            return Overloaded(f"{said}: it is full; come back later")
        case 408 | 425 | 499:
            return Unavailable(f"{said}; come back later")
        case 501 | 505:
            return Internal(f"{said}: {_URL} is no endpoint for completions")
        case _ if 300 <= status < 400:
            return Internal(f"{said}, a redirect, and none is followed: set {_URL} to where it leads")
        case _ if status >= 500:
            return Unavailable(f"{said}: it fails; come back later")
        case _:
            return Internal(f"{said}: {_URL} is no endpoint for completions")


def error_of_failure(failure: httpx.HTTPError) -> DarwinError:
    """What it means that there is no answer."""
    kind, said = next((ours, said) for foreign, ours, said in _FAILURES if isinstance(failure, foreign))
    return kind(f"{said} ({type(failure).__name__})")


def named(answer: bytes) -> str:
    """The kind of error and the field that a refusal names, where it does."""
    try:
        error = Refusal.model_validate_json(answer).error
    except ValidationError:
        return ""
    return ", ".join(name for name in (error.type, error.param) if name and _IDENTIFIER.fullmatch(name))
