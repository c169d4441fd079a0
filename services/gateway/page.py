"""The inspector's page at `/`: files of `ui/`, and plotly.js out of the installed `plotly` package."""

import os
from importlib.util import find_spec
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

_UI = Path(__file__).parent / "ui"
_PLOTLY = "plotly.min.js"
# plotly.js makes two style elements and empties a style attribute; these are the hashes of just their contents.
_PLOTLY_STYLES = (
    "'unsafe-hashes' 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' "
    "'sha256-ji27qzEtxXZW+7dun6UwjHXJ18e6WAin1VvNtkzIE/o='"
)
_POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self' data: blob:; "
    f"style-src 'self' {_PLOTLY_STYLES}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    # Files are asked for again and, unless they changed, not sent again.
    "cache-control": "no-cache",
    "content-security-policy": _POLICY,
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class _Files(StaticFiles):
    """Files that a browser may only use in this page's way."""

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers.update(_HEADERS)
        return response


def routes() -> list[BaseRoute]:
    """The page; it asks for no key, what it shows comes from `/v1` under the caller's own."""
    ours, plotly = _Files(directory=_UI), _Files(directory=_plotly_folder())

    async def index(request: Request) -> Response:
        return await ours.get_response("index.html", request.scope)

    async def library(request: Request) -> Response:
        return await plotly.get_response(_PLOTLY, request.scope)

    return [Route("/", index), Route(f"/ui/{_PLOTLY}", library), Mount("/ui", ours)]


def _plotly_folder() -> Path:
    """Found without importing the package, which would take a second and 50 MiB."""
    spec = find_spec("plotly")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "package_data"
