"""Which web pages of other origins may call the API, and what they may read of its answers (CORS)."""

from collections.abc import Collection

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from services.gateway.api.openapi import POST_HEADERS
from services.gateway.edge.middleware import EVOLUTION_HEADER, REQUEST_HEADER, TRACE_HEADER

_READABLE = (REQUEST_HEADER, TRACE_HEADER, EVOLUTION_HEADER, *POST_HEADERS, "retry-after", "x-should-retry", "location")


def admit_web_pages(app: FastAPI, origins: Collection[str]) -> None:
    """Lets pages of these origins call `app`; to be added outside whatever asks for keys.

    Browsers ask first whether a call is possible, and send no key with that question. Pages send their key in a header,
    never in a cookie, so a page cannot use a key that it was not given.
    """
    app.add_middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=("GET", "HEAD", "POST", "PATCH", "DELETE"),
        allow_headers=("*",),
        allow_private_network=True,
        expose_headers=_READABLE,
    )
