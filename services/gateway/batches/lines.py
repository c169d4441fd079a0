"""Lines of a batch's files: a request that is read, and its outcome that is written, as OpenAI's batch API has them."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ValidationError

from services.gateway.api import serializers
from services.gateway.api.deadlines import with_deadline_of
from services.gateway.api.openai_responses import conversation
from services.gateway.api.openai_responses.requests import ResponseCreate
from services.gateway.api.openai_responses.resource import response
from services.gateway.api.requests import ChatCompletionRequest
from services.gateway.api.text_completions import conversion
from services.gateway.api.text_completions.requests import CompletionRequest
from services.gateway.api.text_completions.resource import completion
from services.gateway.api.validation import evolution_request
from services.gateway.config.settings import GatewaySettings
from services.gateway.edge.access import Caller
from services.gateway.edge.errors import body_of, validation_body
from services.gateway.edge.strict_json import parse_strictly
from services.gateway.evolutions.service import EvolutionService
from shared.errors import DarwinError, Internal, InvalidRequest
from shared.records.evolution import EvolutionRequest, Record
from shared.store.batches import Batch

_FIELDS = {"custom_id", "method", "url", "body"}
_MAX_CUSTOM_ID = 512


@dataclass(frozen=True)
class Endpoint:
    """A route whose requests a batch may hold: the type of its body, its validation, how it answers, and how it words
    the errors of searches.
    """

    body: type[ChatCompletionRequest] | type[CompletionRequest] | type[ResponseCreate]
    request: Callable[[Any, GatewaySettings, EvolutionService, str], Awaitable[EvolutionRequest]]
    answer: Callable[[Record, GatewaySettings], BaseModel]
    as_asked: Callable[[DarwinError], DarwinError] = lambda error: error


async def _chat_request(
    body: ChatCompletionRequest, settings: GatewaySettings, evolutions: EvolutionService, tenant: str
) -> EvolutionRequest:
    return evolution_request(body, settings)


async def _completion_request(
    body: CompletionRequest, settings: GatewaySettings, evolutions: EvolutionService, tenant: str
) -> EvolutionRequest:
    evolution, *others = conversion.evolutions_of(body, settings)
    if others:
        raise InvalidRequest("prompt must be one prompt in a batch: give each a line of its own", field="prompt")
    return evolution


def _completion(record: Record, settings: GatewaySettings) -> BaseModel:
    return completion([record], settings)


def _response(record: Record, settings: GatewaySettings) -> BaseModel:
    serializers.result_of(record)
    return response(record, settings)


ENDPOINTS = {
    "/v1/chat/completions": Endpoint(ChatCompletionRequest, _chat_request, serializers.chat_completion),
    "/v1/completions": Endpoint(CompletionRequest, _completion_request, _completion, conversion.as_asked),
    "/v1/responses": Endpoint(ResponseCreate, conversation.evolution_of, _response, conversation.as_asked),
}
_NOT_IN_FILES = ("stream", "stream_options", "background")


class LineError(Exception):
    """A line is no request of its batch, so the batch fails."""

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.param = code, message, param


@dataclass(frozen=True)
class Line:
    """A request of a batch, whose body is not checked yet."""

    custom_id: str
    body: Any


def read_line(text: str, endpoint: str) -> Line:
    """The request that a line holds.

    Raises:
        LineError: it is not of the form that batches have, or is meant for another endpoint.
    """
    try:
        value = parse_strictly(text)
    except (ValueError, RecursionError):
        raise LineError("invalid_json_line", "This line is not parseable as valid JSON.") from None
    if not isinstance(value, dict):
        raise LineError("invalid_json_line", "This line is not a JSON object.")
    for name in ("custom_id", "method", "url", "body"):
        if name not in value:
            raise LineError("missing_required_parameter", f"Missing required parameter: '{name}'.", name)
    if unknown := value.keys() - _FIELDS:
        raise LineError("unknown_parameter", f"Unknown parameter: '{min(unknown)[:100]}'.", min(unknown)[:100])
    custom_id = value["custom_id"]
    if not isinstance(custom_id, str) or not 0 < len(custom_id) <= _MAX_CUSTOM_ID:
        raise LineError("invalid_custom_id", f"custom_id must be 1 to {_MAX_CUSTOM_ID} characters.", "custom_id")
    if value["method"] != "POST":
        raise LineError("invalid_method", "method must be POST.", "method")
    if value["url"] != endpoint:
        raise LineError("mismatched_url", f"url must be {endpoint}, the endpoint of the batch.", "url")
    if not isinstance(value["body"], dict):
        raise LineError("invalid_body", "body must be an object.", "body")
    return Line(custom_id, value["body"])


def custom_id_of(text: str, endpoint: str) -> str:
    """The name that a line gave itself; "" where it cannot be read."""
    try:
        return read_line(text, endpoint).custom_id
    except LineError:
        return ""


async def evolution_of(
    line: Line, endpoint: str, caller: Caller, settings: GatewaySettings, evolutions: EvolutionService
) -> EvolutionRequest:
    """The search that a line of the caller's asks for, checked as the endpoint's route checks it. It is served in the
    tier `flex`, whatever the line asks for: batches wait for what somebody waits for.

    Raises:
        ValidationError, DarwinError: as that route answers by 400 or 404.
    """
    rules = ENDPOINTS[endpoint]
    body = rules.body.model_validate(line.body)
    for name in _NOT_IN_FILES:
        if getattr(body, name, None):
            raise InvalidRequest(f"{name} must be left out: the answers of a batch are files", field=name)
    evolution = await rules.request(body, settings, evolutions, caller.tenant)
    evolution = replace(evolution, service_tier="flex")
    return with_deadline_of(evolution, body.darwin, caller, settings)


def refused(batch: Batch, number: int, custom_id: str, error: Exception) -> str:
    """The line of the error file for a request that its endpoint refuses, or whose search failed."""
    if isinstance(error, ValidationError):
        status, body = 400, validation_body(error.errors())
    elif isinstance(error, LineError):
        status, body = 400, body_of(InvalidRequest(error.message, field=error.param))
    else:
        known = error if isinstance(error, DarwinError) else Internal("the request failed; the log has the details")
        status, body = known.http_status, body_of(known)
    return _line(batch, number, custom_id, _outcome(batch, number, status, body), None)


def answered(batch: Batch, number: int, custom_id: str, record: Record, settings: GatewaySettings) -> tuple[str, bool]:
    """The line for a search that has ended, and whether it goes to the output file."""
    rules = ENDPOINTS[batch.endpoint]
    try:
        body = rules.answer(record, settings)
    except DarwinError as error:
        return refused(batch, number, custom_id, rules.as_asked(error)), False
    return succeeded(batch, number, custom_id, body), True


def succeeded(batch: Batch, number: int, custom_id: str, body: BaseModel) -> str:
    """The line of the output file for an answer."""
    return _line(batch, number, custom_id, _outcome(batch, number, 200, body), None)


def not_executed(batch: Batch, number: int, custom_id: str) -> str:
    """The line of the error file for a request that was cancelled, or that the end of its batch came before."""
    reasons = {
        "cancelled": ("batch_cancelled", "The batch was cancelled before this request executed."),
        "expired": ("batch_expired", "This request could not be executed before the completion window expired."),
        "failed": ("batch_failed", "The batch failed before this request executed."),
    }
    code, message = reasons.get(batch.ending, ("request_cancelled", "The search of this request was cancelled."))
    return _line(batch, number, custom_id, None, {"code": code, "message": message})


def _outcome(batch: Batch, number: int, status: int, body: BaseModel) -> dict[str, Any]:
    request_id = "req_" + batch.evolution_id(number).removeprefix("evo_")
    return {"status_code": status, "request_id": request_id, "body": body.model_dump(mode="json")}


def _line(
    batch: Batch, number: int, custom_id: str, response: dict[str, Any] | None, error: dict[str, str] | None
) -> str:
    name = "batch_req_" + batch.evolution_id(number).removeprefix("evo_")
    text = json.dumps({"id": name, "custom_id": custom_id, "response": response, "error": error}, ensure_ascii=False)
    # Halves of surrogate pairs are no UTF-8; JSON writes them as Python does, with a backslash.
    return text.encode(errors="backslashreplace").decode()
