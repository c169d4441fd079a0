"""Bodies are declared as JSON, and are JSON that every parser reads alike."""

import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response


async def require_json(request: Request) -> None:
    """Refuses a body whose `content-type` is not JSON (415)."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise HTTPException(415, "send the body as JSON, with the header content-type: application/json")


class StrictJsonRoute(APIRoute):
    """A route that refuses names given twice in an object, and NaN and Infinity, which JSON does not define."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_strictly(request: Request) -> Response:
            return await handle(_StrictJsonRequest(request.scope, request.receive))

        return handle_strictly


class _StrictJsonRequest(Request):
    async def json(self) -> Any:
        return parse_strictly((await self.body()).decode())


def parse_strictly(text: str) -> Any:
    """The value of a JSON text in which no name is given twice, and no number is NaN or infinite.

    Raises:
        JSONDecodeError: it is no such text.
    """
    return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = dict(pairs)
    if len(names) < len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise json.JSONDecodeError(f"the name {json.dumps(twice)} is given twice", "", 0)
    return names


def _refuse_constant(name: str) -> Any:
    raise json.JSONDecodeError(f"{name} is not a JSON number", "", 0)
