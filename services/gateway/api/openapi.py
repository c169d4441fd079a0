"""What /openapi.json says beyond the types of the routes: failures, event streams, headers."""

from collections.abc import Callable, Sequence
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema

from services.gateway.edge.errors import ErrorBody
from services.gateway.edge.middleware import EVOLUTION_HEADER, REQUEST_HEADER, TRACE_HEADER
from services.gateway.evolutions.acceptance import REPLAYED_HEADER
from shared.records.events import Event

DESCRIPTION = """\
An OpenAI-compatible chat API whose answers are searched for, at decoding time, under a reward model.

Point OpenAI's SDK at `/v1`, choose the method by the model's name, and send settings of the search as
`extra_body={"darwin": {...}}`. Every response carries `x-request-id` and `x-darwin-trace-id`; those about an evolution
carry `x-darwin-evolution-id`. A W3C `traceparent` is linked to the call's trace, or
continued where the deployment trusts its callers. Failures have OpenAI's error shape and name the
offending field in `param`. A body may be packed (`content-encoding: gzip` or `deflate`).
A client that hangs up cancels the evolution it waited for, except through the evolutions API or where it sent an
`Idempotency-Key` and so can come back.
"""

_BEARER = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "dk_…",
    "description": "A key made by `darwin keys add`; asked for under `/v1/` where `DARWIN_GATEWAY_KEYS=required`.",
}
POST_HEADERS = {
    REPLAYED_HEADER: "`true` where the `Idempotency-Key` was known, and this is the evolution it stands for.",
    "x-ratelimit-limit-requests": "Searches and calls for embeddings that the API key may start a minute, if limited.",
    "x-ratelimit-remaining-requests": "How many of them are left.",
    "x-ratelimit-reset-requests": "When another one is given back, such as `120ms`, `59s` or `1m0s`.",
    "x-ratelimit-limit-tokens": "Tokens that the API key's searches may sample within the period of the "
    "budget that has least left, if limited.",
    "x-ratelimit-remaining-tokens": "How many of them were neither sampled, nor reserved for searches under way, "
    "when this search was accepted or refused.",
    "x-ratelimit-reset-tokens": "When the period ends (UTC), such as `7h0m12s`.",
}
_UNCOUNTED = ("/v1/keys", "/v1/files", "/v1/batches", "/v1/webhook", "/v1/profiles")
_REF = "#/components/schemas/{model}"
_FAILURES = {
    400: "The request must change; `param` names the field.",
    401: "No API key, or one that is unknown, revoked or expired; only where this deployment asks for keys.",
    403: "The API key may not use the model or the reward profile, or is no operator's.",
    404: "No such model, evolution or route.",
    408: "The body did not arrive in time.",
    409: "The `Idempotency-Key` was used for another request, the evolution has not ended yet, or a batch"
    " reads the file.",
    413: "The body is too large, as it came or once it is unpacked.",
    415: "The body is not declared as `application/json`, or its `content-encoding` is neither gzip nor deflate.",
    421: "The `Host` is not this machine; only where this deployment asks for no keys.",
    429: "Too many calls or searches at a time, or a limit of the API key; `retry-after` says when to come back.",
    499: "The evolution was cancelled.",
    500: "A defect, or a model that answers nonsense.",
    503: "Redis or a stage is away; `retry-after` says when to come back.",
    504: "No answer within the time that this deployment waits; the evolution goes on, `retry-after` says how long "
    "searches take.",
}


def failures(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may fail with these statuses."""
    documented: dict[int | str, dict[str, Any]] = {status: _failure(_FAILURES[status]) for status in statuses}
    for status in documented.keys() & {429, 503, 504}:
        documented[status]["headers"] = {"retry-after": header("Seconds to wait.")}
    return documented | {"default": _failure("Any other failure.")}


def _failure(description: str) -> dict[str, Any]:
    """By reference: for a model FastAPI builds a validator each time, which for some 1,300 failures takes longer than
    all else that makes the application.
    """
    schema = {"$ref": _REF.format(model=ErrorBody.__name__)}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def header(description: str) -> dict[str, Any]:
    """A header of a response, as the document describes it."""
    return {"description": description, "schema": {"type": "string"}}


def event_stream(description: str, *schemas: str, last: str | None = None) -> dict[str, Any]:
    """A 200 response of server-sent events whose `data` is JSON of one of these components, or the text `last`."""
    refs = [{"$ref": _REF.format(model=schema)} for schema in schemas]
    data: dict[str, Any] = {"contentMediaType": "application/json", "contentSchema": {"anyOf": refs}}
    if last is not None:
        data = {"anyOf": [{"const": last}, data]}
    event = {
        "type": "object",
        "required": ["data"],
        "properties": {"data": {"type": "string"} | data, "event": {"type": "string"}, "id": {"type": "string"}},
        "description": "One event.",
    }
    return {"description": description, "content": {"text/event-stream": {"schema": event}}}


def openapi_of(
    app: FastAPI, streamed: Sequence[type[BaseModel]], *, keys_required: bool
) -> Callable[[], dict[str, Any]]:
    """A replacement of `app.openapi` that adds the schemas of failures and streams, the headers, and the need of a key.

    `streamed` are the models of what streams carry, beside the events of evolutions.
    """
    fastapi_openapi = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema:
            return app.openapi_schema
        document = fastapi_openapi()
        schemas = document["components"]["schemas"]
        referred: list[type[BaseModel]] = [ErrorBody, *streamed]
        _, chunk = models_json_schema([(model, "serialization") for model in referred], ref_template=_REF)
        event = TypeAdapter(Event).json_schema(ref_template=_REF, mode="serialization")
        schemas.update(chunk["$defs"] | event.pop("$defs") | {"Event": event})
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                if keys_required and path.startswith("/v1/"):
                    operation["security"] = [{"bearer": []}]
                for response in operation["responses"].values():
                    response["headers"] = response.get("headers", {}) | _headers(path, method)
        document["components"]["securitySchemes"] = {"bearer": _BEARER}
        return document

    return openapi


def _headers(path: str, method: str) -> dict[str, Any]:
    headers = {
        REQUEST_HEADER: header("Names this call in the gateway's log."),
        TRACE_HEADER: header(
            "W3C trace id of this call; that of its `traceparent` where the deployment trusts callers."
        ),
    }
    if any(name in path for name in ("completions", "evolutions", "responses")):
        headers[EVOLUTION_HEADER] = header("The evolution that the call is about, once there is one.")
    if method == "post" and not path.startswith(_UNCOUNTED):
        headers |= {name: header(description) for name, description in POST_HEADERS.items()}
    if path == "/v1/embeddings":
        del headers[REPLAYED_HEADER]
    return headers
