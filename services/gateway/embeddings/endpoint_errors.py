"""What an embedding endpoint's refusals and failures mean, in our errors.

What only the operator can change is `Unsupported`, which nobody tries again, and names the setting.
"""

import re

import httpx

from shared.errors import (
    ContextLengthExceeded,
    DarwinError,
    DeadlineExceeded,
    Internal,
    InvalidRequest,
    Overloaded,
    Unavailable,
    Unsupported,
)

_URL, _KEY, _MODEL = (f"DARWIN_GATEWAY_EMBEDDINGS_{part}" for part in ("URL", "KEY", "MODEL"))
_FAILURES: tuple[tuple[type[httpx.HTTPError], type[DarwinError], str], ...] = (
    (httpx.ConnectTimeout, Unavailable, "cannot be reached"),
    (httpx.PoolTimeout, Unavailable, "has no connection free"),
    (httpx.TimeoutException, DeadlineExceeded, "did not answer in time"),
    (httpx.LocalProtocolError, Unsupported, f"cannot be asked: {_URL} or {_KEY} cannot be sent by HTTP"),
    (httpx.TransportError, Unavailable, "cannot be reached, or broke off"),
    (httpx.HTTPError, Internal, "gives no answer in HTTP"),
)
"""The first row whose class matches counts."""
# The words of OpenAI, vLLM, llama.cpp, TEI and Ollama.
_TOO_LONG = re.compile(
    rb"context[_ -]?(length|size|window)|too many tokens|(input|prompt) is too (long|large)|"
    rb"must have (less|fewer) than|maximum (input|sequence|model) length|max_model_len",
    re.IGNORECASE,
)
_NO_CREDIT = re.compile(rb"insufficient[_ ](quota|balance|funds|credits?)", re.IGNORECASE)


def error_of_status(status: int, body: bytes) -> DarwinError:
    """What a response with this HTTP status, which is not 200, and this body means."""
    said = f"the embeddings endpoint answers HTTP {status}"
    match status:
        case 400 | 413 | 422 | 500 if _TOO_LONG.search(body):
            return ContextLengthExceeded(
                f"{said}: an input exceeds the maximum context length of its model: send it in parts", field="input"
            )
        case 400 | 413 | 422:
            return InvalidRequest(f"{said}: it refuses this input, or dimensions", field="input")
        case 401 | 403 | 407:
            return Unsupported(f"{said}: it refuses the key; set {_KEY}")
        case 402 | 429 if status == 402 or _NO_CREDIT.search(body):
            return Unsupported(f"{said}: its account has no credit left")
        case 429:
            return Overloaded(f"{said}: it is full; come back later")
        case 408 | 425 | 499:
            return Unavailable(f"{said}; come back later")
        case _ if 300 <= status < 400:
            return Unsupported(f"{said}, a redirect, and none is followed: set {_URL} to where it leads")
        case _ if status >= 500 and status not in (501, 505):
            return Unavailable(f"{said}: it fails; come back later")
        case _:
            return Unsupported(f"{said}: set {_URL} (it ends with /v1) and {_MODEL} to what it serves")


def error_of_failure(failure: httpx.HTTPError) -> DarwinError:
    """What it means that there was no response."""
    kind, said = next((ours, said) for foreign, ours, said in _FAILURES if isinstance(failure, foreign))
    return kind(f"the embeddings endpoint {said} ({type(failure).__name__})")
