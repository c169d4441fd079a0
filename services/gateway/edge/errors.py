"""Every failure in OpenAI's error shape: `{"error": {"message", "type", "param", "code"}}`, and `darwin` with the ids
of trace and evolution.

The header `x-should-retry` tells OpenAI's SDKs whether to send the call again.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from services.gateway.api.responses import ErrorBody, ErrorDetail, ErrorReference
from services.gateway.edge.refusals import KeyLimit
from shared.errors import DarwinError, Internal
from shared.telemetry.tracing import current_evolution_id, current_trace_id

RETRY_AFTER_S = 1
MAX_HEAD_BYTES = 32 * 1024
_MAX_PARAM = 200
_MAX_MESSAGE = 2000
_CODES = {
    400: "invalid_json",
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    413: "request_too_large",
    415: "unsupported_media_type",
}


def error_body(status: int, message: str, param: str | None, code: str | None) -> ErrorBody:
    """The body of a failure with this HTTP status."""
    kind = "server_error" if status >= 500 else "rate_limit_error" if status == 429 else "invalid_request_error"
    reference = ErrorReference(trace_id=current_trace_id() or None, evolution_id=current_evolution_id() or None)
    message = _sendable(message, _MAX_MESSAGE)
    return ErrorBody(error=ErrorDetail(message=message, type=kind, param=param, code=code, darwin=reference))


def headers_too_large() -> ErrorBody:
    """The body of a 431: more than `MAX_HEAD_BYTES` before the body."""
    return error_body(431, f"path and headers exceed {MAX_HEAD_BYTES} bytes", None, "headers_too_large")


def body_of(error: DarwinError) -> ErrorBody:
    """The body of an error of the tree."""
    return error_body(error.http_status, error.message, error.field, _snake(type(error).__name__))


def response_of(error: DarwinError) -> JSONResponse:
    """The response to an error of the tree."""
    headers = {"x-should-retry": "true" if error.retryable else "false"}
    if isinstance(error, KeyLimit):
        headers["retry-after"] = str(max(1, math.ceil(error.retry_after_s)))
    elif error.retryable:
        headers["retry-after"] = str(RETRY_AFTER_S)
    elif error.http_status == 401:
        headers["www-authenticate"] = "Bearer"
    return JSONResponse(body_of(error).model_dump(), error.http_status, headers)


def unexpected(error: Exception) -> JSONResponse:
    """The response to a defect of ours; says nothing about its inside."""
    return response_of(Internal(f"unexpected {type(error).__name__}; the log has the details"))


def install(app: FastAPI) -> None:
    """Registers the handlers."""
    app.add_exception_handler(DarwinError, _darwin)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)


async def _darwin(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, DarwinError)
    return response_of(error)


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    message = error.detail
    if error.status_code == 400:
        message = "the body cannot be read as JSON in UTF-8"
    elif error.status_code == 404:
        message = f"no such route: {request.method} {request.url.path}"
    elif error.status_code == 405:
        message = f"{request.method} is not possible here"
    body = error_body(error.status_code, message, None, _CODES.get(error.status_code))
    return JSONResponse(body.model_dump(), error.status_code, error.headers)


async def _validation(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    return JSONResponse(validation_body(error.errors()).model_dump(), 400, {"x-should-retry": "false"})


def validation_body(found: Sequence[Mapping[str, Any]]) -> ErrorBody:
    """The first of pydantic's errors, a wrong value before an unknown name."""
    first = min(found, key=lambda item: item["type"] == "extra_forbidden")
    if first["type"] == "json_invalid":
        at = first["loc"][-1]
        return error_body(400, f"the body is not JSON: {first['ctx']['error']} at position {at}", None, "invalid_json")
    # Pydantic marks a dict's key by "[key]" behind it.
    path = [str(part) for part in first["loc"] if part != "[key]"]
    param = _sendable(".".join(path[1:] if path[:1] in (["body"], ["header"], ["query"]) else path), _MAX_PARAM) or None
    name = param or "the body"
    match first["type"]:
        case "extra_forbidden" | "none_required":
            return error_body(400, f"{name} is not supported: leave it out", param, "unsupported_parameter")
        case "missing":
            return error_body(400, f"{name} is missing", param, "missing_required_parameter")
        case "value_error":
            return error_body(400, f"{name} {first['ctx']['error']}", param, "invalid_value")
    return error_body(400, f"{name}: {first['msg']}", param, "invalid_value")


def _sendable(text: str, limit: int) -> str:
    """Encodable, and not longer than an error should be."""
    return text[:limit].encode("utf-8", "replace").decode()


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
