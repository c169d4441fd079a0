"""Which route a call finds: trailing slashes, HEAD, and what a caller is told whose URL has no `/v1`, or two."""

from copy import copy

from fastapi import FastAPI
from fastapi.routing import APIRoute
from sse_starlette import EventSourceResponse
from starlette.requests import Request
from starlette.routing import Match
from starlette.types import ASGIApp, Receive, Scope, Send

_PREFIX = "/v1"


class TrailingSlashMiddleware:
    """Answers a path that ends with a slash as the one without it.

    It does not redirect: clients that follow a redirect of a POST drop the body.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] != "/":
            # Changed in place, because outer layers read the route from this very scope.
            scope["path"] = scope["path"].removesuffix("/")
        await self._app(scope, receive, send)


def answer_head(app: FastAPI) -> None:
    """Has `app` answer HEAD wherever it answers GET, but for event streams, which have no end to compute a head for.

    The server leaves out the body. /openapi.json does not list these routes.
    """
    for route in list(app.router.routes):
        if isinstance(route, APIRoute) and "GET" in route.methods and route.response_class is not EventSourceResponse:
            head = copy(route)
            head.methods, head.include_in_schema = {"HEAD"}, False
            app.router.routes.append(head)


def no_route(request: Request) -> str:
    """What to tell a caller whose path no route has."""
    path = request.url.path
    message = f"no such route: {request.method} {path}"
    if _is_route(request, with_prefix := _PREFIX + path):
        return f"{message}; there is {with_prefix}: add /v1 to the end of the base URL"
    if path.startswith(_PREFIX) and _is_route(request, without_prefix := path.removeprefix(_PREFIX)):
        return f"{message}; there is {without_prefix}: take one /v1 out of the URL"
    return message


def _is_route(request: Request, path: str) -> bool:
    scope = {**request.scope, "path": path}
    return any(route.matches(scope)[0] is not Match.NONE for route in request.app.routes)
