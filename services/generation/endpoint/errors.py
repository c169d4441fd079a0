"""What an endpoint's refusals and failures mean, in our errors.

What only the operator can change is `Unsupported`, which nobody tries again. Messages of the endpoint and of httpx are
never passed on: they may repeat the prompt or the key.
"""

import httpx

from services.generation.endpoint.error_bodies import NO_COMPLAINT, Complaint
from services.generation.engine import ContextFull
from shared.errors import DarwinError, DeadlineExceeded, Internal, InvalidRequest, Overloaded, Unavailable, Unsupported

_URL, _KEY, _MODEL = (f"DARWIN_GENERATION_ENDPOINT{part}" for part in ("", "_KEY", "_MODEL"))

_FAILURES: tuple[tuple[type[httpx.HTTPError], type[DarwinError], str], ...] = (
    (httpx.ConnectTimeout, Unavailable, "the endpoint cannot be reached"),
    (httpx.PoolTimeout, Unavailable, "no connection to the endpoint is free"),
    (httpx.TimeoutException, DeadlineExceeded, "the endpoint did not answer in time"),
    (httpx.UnsupportedProtocol, Internal, f"{_URL} must be http:// or https://"),
    (httpx.LocalProtocolError, Internal, f"{_URL} or {_KEY} cannot be sent by HTTP"),
    (httpx.TransportError, Unavailable, "the endpoint cannot be reached, or broke off"),
    (httpx.HTTPError, Internal, "the endpoint's answer is not HTTP as it should be"),
)
"""The first row whose class matches counts; messages of httpx are not passed on, since some hold headers."""


class EndpointFull(Overloaded):
    """The endpoint takes no more for now. `retry_after_s` is the time that it names, None where it names none."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


def chat_only(said: str) -> Unsupported:
    """The error of an endpoint that serves chats only; `said` begins its message."""
    return Unsupported(
        f"{said}: it serves the model by /chat/completions only: set {_URL}_API=chat, or {_URL} and {_MODEL} to one "
        "that serves /completions, as vLLM, SGLang, llama.cpp, TGI and Ollama do"
    )


def error_of_status(
    status: int, complaint: Complaint = NO_COMPLAINT, retry_after_s: float | None = None
) -> DarwinError:
    """What a response with this HTTP status means, or one of status 200 whose body names this status."""
    said = f"the endpoint answers HTTP {status}"
    if complaint.about and status not in (401, 407) and (known := _error_about(said, status, complaint)):
        return known
    match status:
        case 400 | 413 | 422:
            found = f" ({', '.join(complaint.names)})" if complaint.names else ""
            return InvalidRequest(f"{said}: it refuses what the call asks for{found}", field="sampling")
        case 401 | 403:
            return Unsupported(f"{said}: it refuses the key; set {_KEY}")
        case 402:
            return Unsupported(f"{said}: its account has no credit left")
        case 404 | 405 | 410:
            return Unsupported(f"{said}: set {_URL} (it ends with /v1) and {_MODEL} to what it serves")
        case 429:
            return EndpointFull(f"{said}: it is full; come back later", retry_after_s)
        case 200:
            return Unavailable(f"{said} with an error in it; come back later")
        case 408 | 425 | 499:
            return Unavailable(f"{said}; come back later")
        case 501 | 505:
            return Unsupported(f"{said}: {_URL} is no endpoint for completions")
        case _ if 300 <= status < 400:
            return Unsupported(f"{said}, a redirect, and none is followed: set {_URL} to where it leads")
        case _ if status >= 500:
            return Unavailable(f"{said}: it fails; come back later")
        case _:
            return Unsupported(f"{said}: {_URL} is no endpoint for completions")


def _error_about(said: str, status: int, complaint: Complaint) -> DarwinError | None:
    """The error where the complaint is clearer than the status; None where the status decides."""
    match complaint.about:
        case "context" if status in (200, 400, 413, 422, 500):
            return ContextFull(
                f"{said}: the conversation does not fit its context; shorten it, or set "
                "DARWIN_GENERATION_MAX_MODEL_LEN to the endpoint's context",
                field="messages",
            )
        case "quota" if status < 500:
            return Unsupported(f"{said}: its account has no credit left")
        case "chat" if status < 500:
            return chat_only(said)
        case "model" if status in (200, 400, 404, 422):
            return Unsupported(f"{said}: it does not serve the model; set {_MODEL} to one that it does")
    return None


def error_of_failure(failure: httpx.HTTPError) -> DarwinError:
    """What it means that there was no response."""
    kind, said = next((ours, said) for foreign, ours, said in _FAILURES if isinstance(failure, foreign))
    return kind(f"{said} ({type(failure).__name__})")
