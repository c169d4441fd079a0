"""What /openapi.json says beyond the routes' own types: failures, event streams, headers."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request
from pydantic import TypeAdapter
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException

from services.gateway.middleware import EVOLUTION_HEADER, REQUEST_HEADER
from services.gateway.resources import ChatCompletionChunk, ErrorBody
from shared.records import Event

DESCRIPTION = """\
An OpenAI-compatible chat API whose answers are searched for, at decoding time, under a reward model.

Point OpenAI's SDK at `/v1`, choose the method by the model's name, and send settings of the search as
`extra_body={"darwin": {...}}`. Every response carries `x-request-id`; those about an evolution carry
`x-darwin-evolution-id`. Failures have OpenAI's error shape and name the offending field in `param`.
A client that hangs up cancels the evolution it waited for, except through the evolutions API.
"""

_REF = "#/components/schemas/{model}"
_FAILURES = {
    400: "The request must change; `param` names the field.",
    404: "No such model, evolution or route.",
    409: "Somebody else changed the evolution first.",
    413: "The body is too large.",
    415: "The body is not declared as `application/json`.",
    429: "Too many calls at a time; `retry-after` says when to come back.",
    499: "The evolution was cancelled.",
    500: "A defect, or a model that answers nonsense.",
    503: "A process we depend on is away; `retry-after` says when to come back.",
    504: "No answer within the time that this deployment waits; the evolution goes on.",
}


def failures(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """`responses` of a route that may fail with these statuses."""
    documented: dict[int | str, dict[str, Any]] = {
        status: {"model": ErrorBody, "description": _FAILURES[status]} for status in statuses
    }
    for status in documented.keys() & {429, 503}:
        documented[status]["headers"] = {"retry-after": header("Seconds to wait.")}
    return documented | {"default": {"model": ErrorBody, "description": "Any other failure."}}


def header(description: str) -> dict[str, Any]:
    """A header of a response."""
    return {"description": description, "schema": {"type": "string"}}


def event_stream(schema: str, description: str) -> dict[str, Any]:
    """A 200 response of server-sent events whose `data` has this component's schema."""
    return {
        "description": description,
        "content": {"text/event-stream": {"schema": {"$ref": _REF.format(model=schema)}}},
    }


def openapi_of(app: FastAPI) -> Callable[[], dict[str, Any]]:
    """A replacement of `app.openapi` that adds the streams' schemas and the headers."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema:
            return app.openapi_schema
        document = plain()
        schemas = document["components"]["schemas"]
        _, chunk = models_json_schema([(ChatCompletionChunk, "serialization")], ref_template=_REF)
        event = TypeAdapter(Event).json_schema(ref_template=_REF, mode="serialization")
        schemas.update(chunk["$defs"] | event.pop("$defs") | {"Event": event})
        for path, operations in document["paths"].items():
            for operation in operations.values():
                for response in operation["responses"].values():
                    response["headers"] = response.get("headers", {}) | _headers(path)
        return document

    return openapi


def _headers(path: str) -> dict[str, Any]:
    headers = {REQUEST_HEADER: header("Names this call in the gateway's log.")}
    if "completions" in path or "evolutions" in path:
        headers[EVOLUTION_HEADER] = header("The evolution that the call is about, once there is one.")
    return headers


async def require_json(request: Request) -> None:
    """Refuses a body that is not declared as JSON."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise HTTPException(415, "send the body as JSON, with the header content-type: application/json")
