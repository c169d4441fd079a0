"""Every failure in OpenAI's error shape, and the refusals that only a gateway makes.

A failure's body is `{"error": {"message", "type", "param", "code", "darwin"}}`; `darwin` holds the ids of the trace and
of the evolution, and `code` is the name of the error's class in snake case. The header `x-should-retry` tells OpenAI's
SDKs whether to send the call again.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from services.gateway.edge.field_errors import code_of, sentence_about
from services.gateway.edge.paths import no_route
from services.gateway.edge.search_times import SearchTimes
from shared.errors import (
    DarwinError,
    DeadlineExceeded,
    Internal,
    InvalidRequest,
    NotFound,
    Overloaded,
    Unauthenticated,
    Unavailable,
)
from shared.telemetry.tracing import current_evolution_id, current_trace_id

RETRY_AFTER_S = 1
MAX_HEAD_BYTES = 32 * 1024
_MAX_PARAM = 200
_MAX_MESSAGE = 2000
_CODES = {
    400: "invalid_content_encoding",
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    413: "request_too_large",
    415: "unsupported_media_type",
}


class ModelNotFound(NotFound):
    """No method has the name that `model` gives."""


class EmbeddingsNotConfigured(NotFound):
    """The deployment has no model that embeds."""


class InvalidApiKey(Unauthenticated):
    """The call carries no API key, or one that is malformed, unknown, revoked or expired."""


class UntrustedIdentity(Unauthenticated):
    """The call says who its caller is, and does not come from a proxy that may say so."""


class PermissionDenied(InvalidRequest):
    """The caller is known, and may not do this."""

    http_status: ClassVar[int] = 403


class ModelNotAllowed(PermissionDenied):
    """The caller's API key may not use the model. OpenAI answers 403 with this code where a project may not."""

    code: ClassVar[str] = "model_not_found"


class MisdirectedRequest(InvalidRequest):
    """The `Host` of the call is not this machine's, as when a web page has its own host name resolve to it."""

    http_status: ClassVar[int] = 421


class KeyLimit(Overloaded):
    """A limit of the caller's API key is reached; the call may succeed after `retry_after_s` seconds."""

    retry_after_s: float

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class RateLimitExceeded(KeyLimit):
    """The key made too many calls within a minute, or its searches under way may spend what its budget has left."""


class InsufficientQuota(KeyLimit):
    """A budget of the key is spent; clients should not try again by themselves."""

    retryable: ClassVar[bool] = False


class StillRunning(Unavailable):
    """A call gets no answer, and what it has started may go on: sent again, it would start a second search."""

    code: ClassVar[str] = "unavailable"
    retryable: ClassVar[bool] = False


class _ErrorPart(BaseModel):
    model_config = ConfigDict(frozen=True)


class ErrorReference(_ErrorPart):
    """Where to look for what happened."""

    trace_id: str | None = Field(description="W3C trace id of the call.")
    evolution_id: str | None = Field(description="The evolution that the call is about, once there is one.")


class ErrorDetail(_ErrorPart):
    """What went wrong and what to do about it."""

    message: str
    type: str = Field(description="`invalid_request_error`, `rate_limit_error` or `server_error`.")
    param: str | None = Field(description="Path of the offending field, such as `messages.0.role`.")
    code: str | None = Field(description="A stable name of the error, such as `model_not_found`.")
    darwin: ErrorReference


class ErrorBody(_ErrorPart):
    """Body of every response that is not a success."""

    error: ErrorDetail


def error_body(status: int, message: str, param: str | None, code: str | None) -> ErrorBody:
    """The body of a failure with this HTTP status."""
    kind = "server_error" if status >= 500 else "rate_limit_error" if status == 429 else "invalid_request_error"
    reference = ErrorReference(trace_id=current_trace_id() or None, evolution_id=current_evolution_id() or None)
    message = _shortened(message, _MAX_MESSAGE)
    return ErrorBody(error=ErrorDetail(message=message, type=kind, param=param, code=code, darwin=reference))


def headers_too_large() -> ErrorBody:
    """The body of a 431: more than `MAX_HEAD_BYTES` before the body."""
    return error_body(431, f"path and headers exceed {MAX_HEAD_BYTES} bytes", None, "headers_too_large")


def body_of(error: DarwinError) -> ErrorBody:
    """The body of the response to an error of `shared.errors`."""
    code = getattr(error, "code", None) or _snake(type(error).__name__)
    return error_body(error.http_status, error.message, error.field, code)


def response_of(error: DarwinError, search_s: int = RETRY_AFTER_S) -> JSONResponse:
    """The response to an error of `shared.errors`, with the headers that tell clients whether and when to retry.

    Who finds no room, or no answer in time, may come back in `search_s` seconds, as long as a search takes, or when
    whoever was full wants to be asked again, if that is later.
    """
    headers = {"x-should-retry": "true" if error.retryable else "false"}
    if isinstance(error, KeyLimit):
        headers["retry-after"] = str(max(1, math.ceil(error.retry_after_s)))
    elif isinstance(error, Overloaded | DeadlineExceeded):
        headers["retry-after"] = str(max(search_s, math.ceil(error.retry_after_s or 0.0)))
    elif error.retryable:
        headers["retry-after"] = str(RETRY_AFTER_S)
    elif error.http_status == 401:
        headers["www-authenticate"] = "Bearer"
    return JSONResponse(body_of(error).model_dump(), error.http_status, headers)


def response_of_defect(error: Exception) -> JSONResponse:
    """The response to an exception that nobody expected: its type only, since its message may hold secrets."""
    return response_of(Internal(f"unexpected {type(error).__name__}; the log has the details"))


def install_handlers(app: FastAPI, times: SearchTimes) -> None:
    """Has `app` answer every failure in this shape."""

    async def handle_darwin_error(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, DarwinError)
        return response_of(error, times.retry_after_s)

    app.add_exception_handler(DarwinError, handle_darwin_error)
    app.add_exception_handler(HTTPException, _handle_http_exception)
    app.add_exception_handler(RequestValidationError, _handle_validation_error)


async def _handle_http_exception(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    status, message, code = error.status_code, error.detail, _CODES.get(error.status_code)
    if status == 400 and error.__cause__ is not None:
        # FastAPI's own, for a body that is no text or nests too deep.
        message, code = "the body cannot be read as JSON in UTF-8", "invalid_json"
    elif status == 404:
        message = no_route(request)
    elif status == 405:
        message = f"{request.method} is not possible here"
    return JSONResponse(error_body(status, message, None, code).model_dump(), status, error.headers)


async def _handle_validation_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    return JSONResponse(validation_body(error.errors()).model_dump(), 400, {"x-should-retry": "false"})


def validation_body(errors: Sequence[Mapping[str, Any]]) -> ErrorBody:
    """The body for the first of pydantic's `errors`; a wrong value comes before an unknown name."""
    first = min(errors, key=lambda error: error["type"] == "extra_forbidden")
    if first["type"] == "json_invalid":
        at = first["loc"][-1]
        return error_body(400, f"the body is not JSON: {first['ctx']['error']} at position {at}", None, "invalid_json")
    # Pydantic appends "[key]" to the path of an error in a dict's key.
    path = [str(part) for part in first["loc"] if part != "[key]"]
    param = (
        _shortened(".".join(path[1:] if path[:1] in (["body"], ["header"], ["query"]) else path), _MAX_PARAM) or None
    )
    name = param or "the body"
    return error_body(400, sentence_about(name, first), param, code_of(first))


def _shortened(text: str, limit: int) -> str:
    """`text`, cut to `limit` characters, without what UTF-8 cannot encode."""
    return text[:limit].encode("utf-8", "replace").decode()


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
